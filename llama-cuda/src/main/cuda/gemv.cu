// Products of few rows with a matrix of the activation type, for decoding: as many bytes as the matrix has
// must come from memory, and there is little to compute with each.
//
//   out [numRows][n] = x [numRows][k] * w [n][k]^T      store 0: out is T; 1: added to out, f32; 2: out is f32
//
// Rows of out are out_stride elements apart: what meets the same x in another format fills the other columns.
//
// A warp computes two columns of out, that is two rows of w, for all rows of x. It reads w once, 16 bytes a
// lane, 8 loads in flight before the first is used.
// x is read from the L1 cache: all warps of a block walk k together, so that a vector comes in once a block
// and never has to fit in shared memory. Each vector of x serves both columns.
//
//   memory traffic   n * k * sizeof(T) once; x about n / 8 times, but from L1 and L2; out once
//
// A kernel gemv_ROWS_T serves up to ROWS rows. An element of out is one chain of fused multiply-adds per lane
// in ascending k, then a butterfly over the lanes: the same bits for every number of rows.
//
// k no multiple of VECTOR: element by element. Grid: x = 8 columns. Block: 128.

#include "matvec.cuh"

// Blocks that a multiprocessor is to hold, so that registers are spent on loads in flight: up to 80, 128 and 255
// of them for 1, 4 and 8 rows.
constexpr int blocks_of(int rows) { return rows == 1 ? 6 : rows == 4 ? 4 : 2; }

template <int ROWS, typename T>
__device__ __forceinline__ void gemv(const T *__restrict__ x, const T *__restrict__ w, void *out, int num_rows,
                                     int n, int k, int out_stride, int store) {
  constexpr int AHEAD = sizeof(T) < sizeof(float) ? 4 : 2;
  const int lane = threadIdx.x % WARP;
  const int first = (blockIdx.x * WARPS + threadIdx.x / WARP) * PAIR;
  if (first >= n) {
    return;
  }
  // Rows that are not there are the last one again, and not stored.
  const T *rows[ROWS];
#pragma unroll
  for (int row = 0; row < ROWS; row++) {
    rows[row] = x + static_cast<int64_t>(min(row, num_rows - 1)) * k;
  }
  const T *columns[PAIR];
#pragma unroll
  for (int j = 0; j < PAIR; j++) {
    columns[j] = w + static_cast<int64_t>(min(first + j, n - 1)) * k;
  }

  float sums[ROWS][PAIR] = {};
  if (k % VECTOR == 0) {
    int at = lane * VECTOR;
#pragma unroll 1
    for (int start = 0; start + AHEAD * STEP <= k; start += AHEAD * STEP) {
      Packed<T> weights[AHEAD][PAIR];
#pragma unroll
      for (int step = 0; step < AHEAD; step++) {
#pragma unroll
        for (int j = 0; j < PAIR; j++) {
          weights[step][j] = load_packed(columns[j] + at + step * STEP);
        }
      }
#pragma unroll
      for (int step = 0; step < AHEAD; step++) {
        float values[PAIR][VECTOR];
#pragma unroll
        for (int j = 0; j < PAIR; j++) {
          unpack(weights[step][j], values[j]);
        }
        add_products(values, rows, at, sums);
        at += STEP;
      }
    }
#pragma unroll 1
    for (; at < k; at += STEP) {
      float values[PAIR][VECTOR];
#pragma unroll
      for (int j = 0; j < PAIR; j++) {
        load_vector(columns[j] + at, values[j]);
      }
      add_products(values, rows, at, sums);
    }
  } else {
#pragma unroll 1
    for (int at = lane; at < k; at += WARP) {
#pragma unroll
      for (int row = 0; row < ROWS; row++) {
        const float value = to_float(rows[row][at]);
#pragma unroll
        for (int j = 0; j < PAIR; j++) {
          sums[row][j] = fmaf(value, to_float(columns[j][at]), sums[row][j]);
        }
      }
    }
  }
  store_sums<T>(sums, out, out_stride, num_rows, n, first, store);
}

#define KERNEL(ROWS, TYPE, T)                                                                                \
  extern "C" __global__ void __launch_bounds__(WARPS *WARP, blocks_of(ROWS)) gemv_##ROWS##_##TYPE(           \
      const T *x, const T *w, void *out, int num_rows, int n, int k, int out_stride, int store) {            \
    gemv<ROWS, T>(x, w, out, num_rows, n, k, out_stride, store);                                             \
  }
#define KERNELS(TYPE, T) KERNEL(1, TYPE, T) KERNEL(4, TYPE, T) KERNEL(8, TYPE, T)
FOR_EACH_ACTIVATION_TYPE(KERNELS)
