// What surrounds products of e4m3 operands that cublasLt computes.
//
//   quantize_rows:   out = x / scale, scale = largest |x| of the row / 448
//                    x [numRows][width] bf16, out [numRows][width] e4m3, scales [numRows] f32
//   scale_product:   out = raw * row_scales[row] * column_scales[column], where cublasLt scales nothing itself
//                    raw [numRows][n] f32, row_scales [numRows], column_scales [n] f32, out [numRows][n];
//                    store as in matvec.cuh
//
// Both serve activations, a row a token, and quantize_rows weights too, a row an output. A row depends on no other.
//
// Grid: x = row, for scale_product y = run of 4 * blockDim.x elements. Block: 256. width a multiple of 16, n of 4.
//
// Source: Micikevicius et al., arXiv 2209.05433; scales per token and channel as in FBGEMM's and vLLM's FP8 layers.

#include "matvec.cuh"

constexpr float LARGEST = 448.0f; // of e4m3

// Rows that are nowhere larger become zeros: 448 divided by less could be infinite.
constexpr float SMALLEST = 1e-30f;

constexpr int WIDE = 2 * VECTOR;
constexpr int QUAD = 4;

// Largest over the block, in every thread. A NaN is left out here; it stays one when it is converted.
__device__ __forceinline__ float block_max(float value) {
  __shared__ float partials[WARP];
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, offset));
  }
  const int lane = threadIdx.x % WARP;
  if (lane == 0) {
    partials[threadIdx.x / WARP] = value;
  }
  __syncthreads();
  value = lane < blockDim.x / WARP ? partials[lane] : 0.0f;
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, offset));
  }
  return value;
}

// Four values, the first in the lowest byte; what rounding lifts above 448 is 448.
__device__ __forceinline__ uint32_t pack_e4m3(float a, float b, float c, float d) {
  uint16_t low;
  uint16_t high;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(low) : "f"(b), "f"(a));
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(high) : "f"(d), "f"(c));
  return static_cast<uint32_t>(high) << 16 | low;
}

__device__ __forceinline__ uint2 pack_e4m3(const float (&v)[VECTOR], float factor) {
  return make_uint2(pack_e4m3(v[0] * factor, v[1] * factor, v[2] * factor, v[3] * factor),
                    pack_e4m3(v[4] * factor, v[5] * factor, v[6] * factor, v[7] * factor));
}

extern "C" __global__ void __launch_bounds__(256) quantize_rows_fp8(const bf16 *__restrict__ x,
                                                                    uint8_t *__restrict__ out,
                                                                    float *__restrict__ scales, int width) {
  const bf16 *row = x + static_cast<int64_t>(blockIdx.x) * width;
  uint8_t *to = out + static_cast<int64_t>(blockIdx.x) * width;
  float largest = 0.0f;
#pragma unroll 2
  for (int at = threadIdx.x * VECTOR; at < width; at += blockDim.x * VECTOR) {
    float values[VECTOR];
    load_vector(row + at, values);
    for (int i = 0; i < VECTOR; i++) {
      largest = fmaxf(largest, fabsf(values[i]));
    }
  }
  largest = block_max(largest);
  const bool zeros = largest < SMALLEST;
  const float factor = zeros ? 0.0f : LARGEST / largest;
  if (threadIdx.x == 0) {
    scales[blockIdx.x] = zeros ? 0.0f : largest / LARGEST;
  }
  // The row again, from the caches.
#pragma unroll 1
  for (int at = threadIdx.x * WIDE; at < width; at += blockDim.x * WIDE) {
    float low[VECTOR];
    float high[VECTOR];
    load_vector(row + at, low);
    load_vector(row + at + VECTOR, high);
    const uint2 first = pack_e4m3(low, factor);
    const uint2 second = pack_e4m3(high, factor);
    *reinterpret_cast<uint4 *>(to + at) = make_uint4(first.x, first.y, second.x, second.y);
  }
}

extern "C" __global__ void __launch_bounds__(256) scale_product_fp8(const float *__restrict__ raw,
                                                                    const float *__restrict__ row_scales,
                                                                    const float *__restrict__ column_scales,
                                                                    void *out, int n, int store) {
  const int column = (blockIdx.y * blockDim.x + threadIdx.x) * QUAD;
  if (column >= n) {
    return;
  }
  const int64_t at = static_cast<int64_t>(blockIdx.x) * n + column;
  const float row_scale = row_scales[blockIdx.x];
  const float4 sums = *reinterpret_cast<const float4 *>(raw + at);
  const float4 scales = *reinterpret_cast<const float4 *>(column_scales + column);
  float4 values = make_float4(sums.x * row_scale * scales.x, sums.y * row_scale * scales.y,
                              sums.z * row_scale * scales.z, sums.w * row_scale * scales.w);
  if (store == ROUNDED) {
    *reinterpret_cast<uint2 *>(static_cast<bf16 *>(out) + at) =
        make_uint2(pack_pair(values.x, values.y, bf16()), pack_pair(values.z, values.w, bf16()));
    return;
  }
  float4 *to = reinterpret_cast<float4 *>(static_cast<float *>(out) + at);
  if (store == ADDED) {
    const float4 before = *to;
    values = make_float4(before.x + values.x, before.y + values.y, before.z + values.z, before.w + values.w);
  }
  *to = values;
}
