// RMSNorm of token rows, and the same with the residual addition before it.
//
//   rms_norm:      out = x * rsqrt(mean(x^2) + eps) * weight
//   add_rms_norm:  residual += x;  out = residual * rsqrt(mean(residual^2) + eps) * weight
//
// x, residual, out [grid.x][hiddenSize]; weight [hiddenSize] f32. The sum that is normalised is the one
// that is stored, rounding included. out overlaps neither x nor residual.
//
// Grid: x = token. Block: a whole number of warps, chosen from hiddenSize alone. A row is summed in an order
// that depends on the block size and on nothing else, so a token's result does not depend on its batch.
//
// Source: Zhang and Sennrich, arXiv 1910.07467; Hugging Face's LlamaRMSNorm, which rounds to the activation
// type once more before it multiplies by the weight.

#include "values.cuh"

// Vectors of a row that one thread keeps in registers: rows of up to 2 * 8 * 1024 elements are read once. Two in flight
// and blocks half as large, so that a multiprocessor holds several and loads one row while it reduces another.
constexpr int ROW_VECTORS = 2;

// Sum over the block, in every thread. Two levels of butterflies.
__device__ __forceinline__ float block_sum(float value) {
  __shared__ float partials[WARP];
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xFFFFFFFFu, value, offset);
  }
  const int lane = threadIdx.x % WARP;
  if (lane == 0) {
    partials[threadIdx.x / WARP] = value;
  }
  __syncthreads();
  value = lane < blockDim.x / WARP ? partials[lane] : 0.0f;
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xFFFFFFFFu, value, offset);
  }
  return value;
}

__device__ __forceinline__ float inverse_rms(float sum_of_squares, int hidden_size, float eps) {
  // Correctly rounded root and reciprocal, once a row, rather than the approximate rsqrt: with them every
  // operation of this file is IEEE's, and a row has the same bits on every GPU.
  return 1.0f / sqrtf(block_sum(sum_of_squares) / static_cast<float>(hidden_size) + eps);
}

template <typename T, bool ADD>
__device__ __forceinline__ void norm_in_registers(const T *__restrict__ x, T *__restrict__ residual,
                                                  const float *__restrict__ weight, T *__restrict__ out,
                                                  int hidden_size, float eps) {
  Packed<T> loaded[ROW_VECTORS];
  Packed<T> before[ROW_VECTORS];
  Packed<float> scale[ROW_VECTORS];
  // All loads before the first use of any, the weights too: their latencies overlap.
#pragma unroll
  for (int v = 0; v < ROW_VECTORS; v++) {
    const int at = (v * blockDim.x + threadIdx.x) * VECTOR;
    if (at < hidden_size) {
      loaded[v] = load_packed(x + at);
      if (ADD) {
        before[v] = load_packed(residual + at);
      }
      scale[v] = load_packed(weight + at);
    }
  }
  float row[ROW_VECTORS][VECTOR];
  float sum_of_squares = 0.0f;
#pragma unroll
  for (int v = 0; v < ROW_VECTORS; v++) {
    const int at = (v * blockDim.x + threadIdx.x) * VECTOR;
    if (at < hidden_size) {
      unpack(loaded[v], row[v]);
      if (ADD) {
        float addend[VECTOR];
        unpack(before[v], addend);
        for (int i = 0; i < VECTOR; i++) {
          row[v][i] = to_float(round_to<T>(row[v][i] + addend[i]));
        }
        store_vector(residual + at, row[v]);
      }
      for (int i = 0; i < VECTOR; i++) {
        sum_of_squares = fmaf(row[v][i], row[v][i], sum_of_squares);
      }
    }
  }
  const float inverse = inverse_rms(sum_of_squares, hidden_size, eps);
#pragma unroll
  for (int v = 0; v < ROW_VECTORS; v++) {
    const int at = (v * blockDim.x + threadIdx.x) * VECTOR;
    if (at < hidden_size) {
      float factor[VECTOR];
      unpack(scale[v], factor);
      for (int i = 0; i < VECTOR; i++) {
        row[v][i] = row[v][i] * inverse * factor[i];
      }
      store_vector(out + at, row[v]);
    }
  }
}

// Any length; each thread reads back what it wrote itself.
template <typename T, bool ADD>
__device__ __forceinline__ void norm_by_element(const T *x, T *residual, const float *__restrict__ weight, T *out,
                                                int hidden_size, float eps) {
  float sum_of_squares = 0.0f;
#pragma unroll 1
  for (int i = threadIdx.x; i < hidden_size; i += blockDim.x) {
    float value = to_float(x[i]);
    if (ADD) {
      const T sum = round_to<T>(value + to_float(residual[i]));
      residual[i] = sum;
      value = to_float(sum);
    }
    sum_of_squares = fmaf(value, value, sum_of_squares);
  }
  const float inverse = inverse_rms(sum_of_squares, hidden_size, eps);
  const T *row = ADD ? residual : x;
#pragma unroll 1
  for (int i = threadIdx.x; i < hidden_size; i += blockDim.x) {
    out[i] = round_to<T>(to_float(row[i]) * inverse * weight[i]);
  }
}

template <typename T, bool ADD>
__device__ __forceinline__ void norm_row(const T *x, T *residual, const float *weight, T *out, int hidden_size,
                                         float eps) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden_size;
  if (hidden_size % VECTOR == 0 && hidden_size <= ROW_VECTORS * VECTOR * static_cast<int>(blockDim.x)) {
    norm_in_registers<T, ADD>(x + row, residual + row, weight, out + row, hidden_size, eps);
  } else {
    norm_by_element<T, ADD>(x + row, residual + row, weight, out + row, hidden_size, eps);
  }
}

#define KERNEL(NAME, T)                                                                                      \
  extern "C" __global__ void __launch_bounds__(1024) rms_norm_##NAME(                                        \
      const T *x, const float *weight, T *out, int hidden_size, float eps) {                                 \
    norm_row<T, false>(x, nullptr, weight, out, hidden_size, eps);                                           \
  }                                                                                                          \
  extern "C" __global__ void __launch_bounds__(1024) add_rms_norm_##NAME(                                    \
      const T *x, T *residual, const float *weight, T *out, int hidden_size, float eps) {                    \
    norm_row<T, true>(x, residual, weight, out, hidden_size, eps);                                           \
  }
FOR_EACH_ACTIVATION_TYPE(KERNEL)
