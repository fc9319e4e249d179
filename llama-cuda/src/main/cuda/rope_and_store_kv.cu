// rope_and_store_kv.cuh into caches of the activation type.

#include "rope_and_store_kv.cuh"

#define KERNEL_OF(LAYOUT, NAME, T, VECTOR_UNIT, SINGLE_UNIT)                                                 \
  extern "C" __global__ void __launch_bounds__(MAX_THREADS) rope_and_store_kv_##LAYOUT##_##NAME(             \
      ROPE_PARAMETERS(T, T)) {                                                                               \
    ROPE_AND_STORE_KV(T, T, VECTOR_UNIT, SINGLE_UNIT)                                                        \
  }
#define KERNEL(NAME, T)                                                                                      \
  KERNEL_OF(rotate_half, NAME, T, RotateHalf, SinglePair<false>)                                             \
  KERNEL_OF(interleaved, NAME, T, Interleaved, SinglePair<true>)
FOR_EACH_ACTIVATION_TYPE(KERNEL)
