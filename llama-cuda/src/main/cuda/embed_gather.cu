// Row gathers: embedding rows by token id, and the rows of the residual stream whose logits are wanted by
// token index (last_token_gather). Both are the same copy of bits, so both are this kernel.
//
//   out[i][:] = table[indices[i]][:]        table [numRows][width], out [grid.x][width]
//
// An index outside the table gives a row of zeros: padding and a row from which nothing could be drawn
// (index -1) must not end the context with an illegal address.
//
// Grid: x = output row. Block: any number of threads.

#include "values.cuh"

template <typename Unit>
__device__ __forceinline__ void copy_row(const void *from, void *to, int count, bool inside) {
  const Unit *source = static_cast<const Unit *>(from);
  Unit *target = static_cast<Unit *>(to);
#pragma unroll 1
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    target[i] = inside ? source[i] : Unit{};
  }
}

template <typename T>
__device__ __forceinline__ void embed_gather(const T *__restrict__ table, const int *__restrict__ indices,
                                             T *__restrict__ out, int width, int num_rows) {
  const int index = indices[blockIdx.x];
  const bool inside = index >= 0 && index < num_rows;
  const T *from = table + static_cast<int64_t>(inside ? index : 0) * width;
  T *to = out + static_cast<int64_t>(blockIdx.x) * width;
  constexpr int PER_UNIT = sizeof(uint4) / sizeof(T);
  if (width % PER_UNIT == 0) {
    copy_row<uint4>(from, to, width / PER_UNIT, inside);
  } else if (sizeof(T) == 2) {
    copy_row<uint16_t>(from, to, width, inside);
  } else {
    copy_row<uint32_t>(from, to, width, inside);
  }
}

#define KERNEL(NAME, T)                                                                                      \
  extern "C" __global__ void __launch_bounds__(1024) embed_gather_##NAME(                                    \
      const T *table, const int *indices, T *out, int width, int num_rows) {                                 \
    embed_gather<T>(table, indices, out, width, num_rows);                                                   \
  }
FOR_EACH_ACTIVATION_TYPE(KERNEL)
