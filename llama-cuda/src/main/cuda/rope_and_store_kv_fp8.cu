// rope_and_store_kv.cuh into caches of e4m3, named after the type of the queries.

#include "rope_and_store_kv.cuh"

#define KERNEL_OF(LAYOUT, NAME, Q, VECTOR_UNIT, SINGLE_UNIT)                                                 \
  extern "C" __global__ void __launch_bounds__(MAX_THREADS) rope_and_store_kv_##LAYOUT##_fp8_##NAME(         \
      ROPE_PARAMETERS(Q, e4m3), ScalePair *scales) {                                                         \
    ROPE_AND_STORE_KV(Q, e4m3, VECTOR_UNIT, SINGLE_UNIT, scales)                                             \
  }
#define KERNEL(NAME, Q)                                                                                      \
  KERNEL_OF(rotate_half, NAME, Q, RotateHalf, SinglePair<false>)                                             \
  KERNEL_OF(interleaved, NAME, Q, Interleaved, SinglePair<true>)
KERNEL(f16, f16)
KERNEL(f32, float)
