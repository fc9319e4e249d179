// Adds a projection's bias to its result: rows[i][:] += bias[:], for the checkpoints that have one.
//
//   rows [numRows][width], bias [width] f32
//
// Grid: x = row, y = run of 8 * blockDim.x elements. Block: 256 threads.

#include "values.cuh"

template <typename T> __device__ __forceinline__ void add_bias(T *rows, const float *__restrict__ bias, int width) {
  T *row = rows + static_cast<int64_t>(blockIdx.x) * width;
  const int start = blockIdx.y * blockDim.x * VECTOR;
  if (width % VECTOR == 0) {
    const int at = start + threadIdx.x * VECTOR;
    if (at < width) {
      float values[VECTOR];
      float addends[VECTOR];
      load_vector(row + at, values);
      load_vector(bias + at, addends);
      for (int i = 0; i < VECTOR; i++) {
        values[i] += addends[i];
      }
      store_vector(row + at, values);
    }
  } else {
    const int end = min(width, start + static_cast<int>(blockDim.x) * VECTOR);
#pragma unroll 1
    for (int i = start + threadIdx.x; i < end; i += blockDim.x) {
      row[i] = round_to<T>(to_float(row[i]) + bias[i]);
    }
  }
}

#define KERNEL(NAME, T)                                                                                      \
  extern "C" __global__ void __launch_bounds__(256) add_bias_##NAME(T *rows, const float *bias, int width) { \
    add_bias<T>(rows, bias, width);                                                                          \
  }
FOR_EACH_ACTIVATION_TYPE(KERNEL)
