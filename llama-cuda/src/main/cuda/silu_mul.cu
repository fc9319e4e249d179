// The gate of the feed-forward layer, over the fused projection's rows:
//
//   gateUp [numTokens][2 * intermediateSize]   | gate | up |
//   out    [numTokens][intermediateSize]       silu(gate) * up,  silu(x) = x / (1 + exp(-x))
//
// Grid: x = token, y = run of 8 * blockDim.x elements. Block: 256 threads.
//
// Source: Shazeer, arXiv 2002.05202; Hugging Face's LlamaMLP.

#include "values.cuh"

// e^y to about 2 ulp. expf would do, but flushes subnormals inside (ex2.approx.ftz), the one instruction of
// this module that treats them differently.
__device__ __forceinline__ float exact_exp(float y) {
  // Beyond 150 the result is 0 or infinite anyway, and no infinity reaches the difference below.
  y = fminf(fmaxf(y, -150.0f), 150.0f);
  constexpr float LOG2_E = 1.44269504f;
  constexpr float LOG2_E_REST = 1.92596299e-8f; // log2(e) = LOG2_E + LOG2_E_REST to 48 bits
  constexpr float LN_2 = 0.693147181f;
  const float power = y * LOG2_E;
  const float rest = fmaf(y, LOG2_E_REST, fmaf(y, LOG2_E, -power));
  return exp2f(power) * fmaf(rest, LN_2, 1.0f);
}

// A 16-bit result hides the few float roundings by which the approximate forms are off.
template <typename T> __device__ __forceinline__ float silu(float x) {
  return sizeof(T) == 2 ? __fdividef(x, 1.0f + __expf(-x)) : x / (1.0f + exact_exp(-x));
}

template <typename T>
__device__ __forceinline__ void silu_mul(const T *__restrict__ gate_up, T *__restrict__ out, int size) {
  const T *gate = gate_up + static_cast<int64_t>(blockIdx.x) * 2 * size;
  const T *up = gate + size;
  T *to = out + static_cast<int64_t>(blockIdx.x) * size;
  const int start = blockIdx.y * blockDim.x * VECTOR;
  if (size % VECTOR == 0) {
    const int at = start + threadIdx.x * VECTOR;
    if (at < size) {
      float g[VECTOR];
      float u[VECTOR];
      load_vector(gate + at, g);
      load_vector(up + at, u);
      for (int i = 0; i < VECTOR; i++) {
        g[i] = silu<T>(g[i]) * u[i];
      }
      store_vector(to + at, g);
    }
  } else {
    const int end = min(size, start + static_cast<int>(blockDim.x) * VECTOR);
#pragma unroll 1
    for (int i = start + threadIdx.x; i < end; i += blockDim.x) {
      to[i] = round_to<T>(silu<T>(to_float(gate[i])) * to_float(up[i]));
    }
  }
}

#define KERNEL(NAME, T)                                                                                      \
  extern "C" __global__ void __launch_bounds__(256) silu_mul_##NAME(const T *gate_up, T *out, int size) {    \
    silu_mul<T>(gate_up, out, size);                                                                         \
  }
FOR_EACH_ACTIVATION_TYPE(KERNEL)
