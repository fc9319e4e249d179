// Row gathers into the residual stream: embedding rows by token id, and the rows of the residual stream whose
// logits are wanted by token index (last_token_gather), which is the f32 kernel.
//
//   out[i][:] = table[indices[i]][:]        table [numRows][width], out [grid.x][width] f32
//
// An index below zero stands for one that only the device knows, a token that the step before has drawn:
// -1 - d is drawn[d], for d < numDrawn. drawn may be null with numDrawn 0.
//
// An index outside the table gives a row of zeros: padding and a row from which nothing could be drawn
// (drawn as -1) must not end the context with an illegal address.
//
// Grid: x = output row. Block: any number of threads.

#include "values.cuh"

template <typename T>
__device__ __forceinline__ void embed_gather(const T *__restrict__ table, const int *__restrict__ indices,
                                             const int *__restrict__ drawn, float *__restrict__ out, int num_drawn,
                                             int width, int num_rows) {
  int index = indices[blockIdx.x];
  if (index < 0 && ~index < num_drawn) {
    index = drawn[~index];
  }
  const bool inside = index >= 0 && index < num_rows;
  const T *from = table + static_cast<int64_t>(inside ? index : 0) * width;
  float *to = out + static_cast<int64_t>(blockIdx.x) * width;
  if (width % VECTOR == 0) {
#pragma unroll 1
    for (int i = threadIdx.x * VECTOR; i < width; i += blockDim.x * VECTOR) {
      float values[VECTOR] = {};
      if (inside) {
        load_vector(from + i, values);
      }
      store_vector(to + i, values);
    }
  } else {
#pragma unroll 1
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
      to[i] = inside ? to_float(from[i]) : 0.0f;
    }
  }
}

#define KERNEL(NAME, T)                                                                                      \
  extern "C" __global__ void __launch_bounds__(1024) embed_gather_##NAME(                                    \
      const T *table, const int *indices, const int *drawn, float *out, int num_drawn, int width,            \
      int num_rows) {                                                                                        \
    embed_gather<T>(table, indices, drawn, out, num_drawn, width, num_rows);                                 \
  }
FOR_EACH_ACTIVATION_TYPE(KERNEL)
