// Products of few rows with a matrix of e4m3 and a scale for each of its rows, for decoding: half the bytes of
// the same matrix in bf16. Activations stay bf16.
//
//   out [numRows][n] = x [numRows][k] * (scales[n] * w [n][k])^T      store 0: out is bf16; 1: added to out, f32;
//                                                                     2: out is f32
//
// As gemv.cu otherwise: a warp computes two columns of out, reads its two rows of w once, 16 bytes a lane, 8 loads
// in flight, and x from the L1 cache. A 16-byte load is two vectors of weights.
//
// A kernel gemv_fp8_ROWS serves up to ROWS rows. An element of out is one chain of fused multiply-adds per lane in
// ascending k, scaled, then a butterfly over the lanes: the same bits for every number of rows.
//
// k is a multiple of 16. Grid: x = 8 columns. Block: 128.

#include "matvec.cuh"

constexpr int WIDE = 2 * VECTOR;
constexpr int WIDE_STEP = WARP * WIDE;

// As in gemv.cu: registers for loads in flight.
constexpr int blocks_of(int rows) { return rows == 1 ? 6 : rows == 4 ? 4 : 2; }

// Two e4m3, the first in the lower byte. Every e4m3 is an f16.
__device__ __forceinline__ void unpack_e4m3(uint32_t pair, float &low, float &high) {
  uint32_t halves;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(halves) : "h"(static_cast<uint16_t>(pair)));
  unpack_pair(halves, low, high, f16());
}

__device__ __forceinline__ void unpack_e4m3(uint32_t low, uint32_t high, float (&values)[VECTOR]) {
  unpack_e4m3(low, values[0], values[1]);
  unpack_e4m3(low >> 16, values[2], values[3]);
  unpack_e4m3(high, values[4], values[5]);
  unpack_e4m3(high >> 16, values[6], values[7]);
}

template <int ROWS>
__device__ __forceinline__ void add_wide_products(const uint4 (&w)[PAIR], const bf16 *const (&x)[ROWS], int at,
                                                  float (&sums)[ROWS][PAIR]) {
  float values[PAIR][VECTOR];
#pragma unroll
  for (int j = 0; j < PAIR; j++) {
    unpack_e4m3(w[j].x, w[j].y, values[j]);
  }
  add_products(values, x, at, sums);
#pragma unroll
  for (int j = 0; j < PAIR; j++) {
    unpack_e4m3(w[j].z, w[j].w, values[j]);
  }
  add_products(values, x, at + VECTOR, sums);
}

template <int ROWS>
__device__ __forceinline__ void gemv(const bf16 *__restrict__ x, const uint8_t *__restrict__ w,
                                     const float *__restrict__ scales, void *out, int num_rows, int n, int k,
                                     int out_stride, int store) {
  constexpr int AHEAD = 4;
  const int lane = threadIdx.x % WARP;
  const int first = (blockIdx.x * WARPS + threadIdx.x / WARP) * PAIR;
  if (first >= n) {
    return;
  }
  // Rows that are not there are the last one again, and not stored.
  const bf16 *rows[ROWS];
#pragma unroll
  for (int row = 0; row < ROWS; row++) {
    rows[row] = x + static_cast<int64_t>(min(row, num_rows - 1)) * k;
  }
  const uint8_t *columns[PAIR];
  float scale[PAIR];
#pragma unroll
  for (int j = 0; j < PAIR; j++) {
    const int column = min(first + j, n - 1);
    columns[j] = w + static_cast<int64_t>(column) * k;
    scale[j] = scales[column];
  }

  float sums[ROWS][PAIR] = {};
  int at = lane * WIDE;
#pragma unroll 1
  for (int start = 0; start + AHEAD * WIDE_STEP <= k; start += AHEAD * WIDE_STEP) {
    uint4 weights[AHEAD][PAIR];
#pragma unroll
    for (int step = 0; step < AHEAD; step++) {
#pragma unroll
      for (int j = 0; j < PAIR; j++) {
        weights[step][j] = *reinterpret_cast<const uint4 *>(columns[j] + at + step * WIDE_STEP);
      }
    }
#pragma unroll
    for (int step = 0; step < AHEAD; step++) {
      add_wide_products(weights[step], rows, at, sums);
      at += WIDE_STEP;
    }
  }
#pragma unroll 1
  for (; at < k; at += WIDE_STEP) {
    uint4 weights[PAIR];
#pragma unroll
    for (int j = 0; j < PAIR; j++) {
      weights[j] = *reinterpret_cast<const uint4 *>(columns[j] + at);
    }
    add_wide_products(weights, rows, at, sums);
  }
#pragma unroll
  for (int row = 0; row < ROWS; row++) {
#pragma unroll
    for (int j = 0; j < PAIR; j++) {
      sums[row][j] *= scale[j];
    }
  }
  store_sums<bf16>(sums, out, out_stride, num_rows, n, first, store);
}

#define KERNEL(ROWS)                                                                                         \
  extern "C" __global__ void __launch_bounds__(WARPS *WARP, blocks_of(ROWS)) gemv_fp8_##ROWS(                \
      const bf16 *x, const uint8_t *w, const float *scales, void *out, int num_rows, int n, int k,           \
      int out_stride, int store) {                                                                           \
    gemv<ROWS>(x, w, scales, out, num_rows, n, k, out_stride, store);                                        \
  }
KERNEL(1) KERNEL(4) KERNEL(8)
