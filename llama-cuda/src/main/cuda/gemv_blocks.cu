// Products of few rows with a matrix of GGUF blocks, for decoding: the blocks are read as the file has them.
//
//   out [numRows][n] = x [numRows][k] * w [n][k]^T      store 0: out is T; 1: added to out, f32; 2: out is f32
//
// Rows of out are out_stride elements apart: what meets the same x in another format fills the other columns.
//
// The weights are widened in registers to the very values of the dequantize kernels and multiplied as floats
// with the activations as they are. Rounding the activations to int8 for dp4a would save about half of the
// arithmetic and make an error of about 0.5 % (root mean square, Gaussian values, scales per 32). It is not
// needed where blocks are for, on cards with up to 1 TB/s: there the memory delivers Q4_0 no faster than 6
// values a clock and multiprocessor, at 3 to 11 instructions each of the 128 that fit.
//
// A warp computes two columns of out, that is two rows of w, for all rows of x, 256 values of each at a time:
// 144 to 272 neighbouring bytes, 8 values a lane, two steps in flight. Lanes fetch them in pairs of bytes, the
// widest that is always aligned: the L1 cache turns the many small loads of a warp into whole sectors, and on
// those cards has several times the throughput that this takes. A repacked form would save those loads, but
// there would be a second layout beside the file's to dequantise from.
//
//   memory traffic   n * k * (34/32, 18/32, 144/256 or 210/256) bytes once; x from L1 and L2; out once
//
// A kernel gemv_FORMAT_ROWS_T serves up to ROWS rows. An element of out is one chain of fused multiply-adds
// per lane in ascending k, then a butterfly over the lanes: the same bits for every number of rows.
//
// k is a multiple of the format's block. Grid: x = 8 columns. Block: 128.

#include "blocks.cuh"
#include "matvec.cuh"

template <typename Format, int ROWS, typename T>
__device__ __forceinline__ void gemv(const T *__restrict__ x, const uint8_t *__restrict__ w, void *out, int num_rows,
                                     int n, int k, int out_stride, int store) {
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
  const uint8_t *columns[PAIR];
#pragma unroll
  for (int j = 0; j < PAIR; j++) {
    columns[j] = w + static_cast<int64_t>(min(first + j, n - 1)) * (k / Format::VALUES) * Format::BYTES;
  }
  float sums[ROWS][PAIR] = {};
#pragma unroll 2
  for (int at = threadIdx.x % WARP * VECTOR; at < k; at += STEP) {
    float values[PAIR][VECTOR];
#pragma unroll
    for (int j = 0; j < PAIR; j++) {
      const int64_t block = at / Format::VALUES;
      Format::decode(columns[j] + block * Format::BYTES, at % Format::VALUES, values[j]);
    }
    add_products(values, rows, at, sums);
  }
  store_sums<T>(sums, out, out_stride, num_rows, n, first, store);
}

#define KERNEL(NAME, FORMAT, ROWS, TYPE, T)                                                                  \
  extern "C" __global__ void __launch_bounds__(WARPS *WARP) gemv_##NAME##_##ROWS##_##TYPE(                   \
      const T *x, const uint8_t *w, void *out, int num_rows, int n, int k, int out_stride, int store) {      \
    gemv<FORMAT, ROWS, T>(x, w, out, num_rows, n, k, out_stride, store);                                     \
  }
#define KERNELS_OF(NAME, FORMAT, ROWS) \
  KERNEL(NAME, FORMAT, ROWS, bf16, bf16)     \
  KERNEL(NAME, FORMAT, ROWS, f16, f16)       \
  KERNEL(NAME, FORMAT, ROWS, f32, float)
#define KERNELS(NAME, FORMAT) KERNELS_OF(NAME, FORMAT, 1) KERNELS_OF(NAME, FORMAT, 4) KERNELS_OF(NAME, FORMAT, 8)
KERNELS(q8_0, Q8_0)
KERNELS(q4_0, Q4_0)
KERNELS(q4_k, Q4_K)
KERNELS(q6_k, Q6_K)
