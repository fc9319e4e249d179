// What the products of few rows share: how vectors are multiplied, and how a warp's sums become elements of out.
#pragma once

#include "values.cuh"

// Out rows that a warp computes at once: each vector of x serves both.
constexpr int PAIR = 2;
constexpr int WARPS = 4;

// Values of a row that a warp takes at once.
constexpr int STEP = WARP * VECTOR;

// What becomes of a sum: rounded to T, added to a float, or stored as one; GemvKernels.java has the same numbers.
constexpr int ROUNDED = 0;
constexpr int ADDED = 1;
constexpr int FLOAT = 2;

// Adds the products of VECTOR elements of two rows of w with the same elements of every row of x, from `at` on.
template <int ROWS, typename T>
__device__ __forceinline__ void add_products(const float (&w)[PAIR][VECTOR], const T *const (&x)[ROWS], int at,
                                             float (&sums)[ROWS][PAIR]) {
#pragma unroll
  for (int row = 0; row < ROWS; row++) {
    float values[VECTOR];
    load_vector(x[row] + at, values);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) {
#pragma unroll
      for (int j = 0; j < PAIR; j++) {
        sums[row][j] = fmaf(values[i], w[j][i], sums[row][j]);
      }
    }
  }
}

// A butterfly: every lane ends with the same bits.
__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xFFFFFFFFu, value, offset);
  }
  return value;
}

// Stores the warp's sums over its lanes, one element a lane; rows past num_rows and n are not there.
template <typename T, int ROWS>
__device__ __forceinline__ void store_sums(float (&sums)[ROWS][PAIR], void *out, int out_stride, int num_rows, int n,
                                           int first, int store) {
  const int lane = threadIdx.x % WARP;
  float mine = 0;
#pragma unroll
  for (int row = 0; row < ROWS; row++) {
#pragma unroll
    for (int j = 0; j < PAIR; j++) {
      const float sum = warp_sum(sums[row][j]);
      mine = lane == row * PAIR + j ? sum : mine;
    }
  }
  const int row = lane / PAIR;
  const int column = first + lane % PAIR;
  if (row < num_rows && column < n) {
    const int64_t at = static_cast<int64_t>(row) * out_stride + column;
    if (store == ROUNDED) {
      static_cast<T *>(out)[at] = round_to<T>(mine);
    } else {
      float *to = static_cast<float *>(out) + at;
      *to = store == ADDED ? *to + mine : mine;
    }
  }
}
