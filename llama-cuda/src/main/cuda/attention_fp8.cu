// plain_attention.cuh over caches of e4m3, named after the type of the results.

#include "plain_attention.cuh"

#define KERNEL(NAME, Q, T)                                                                                   \
  extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) attention_fp8_##NAME(                        \
      STEP_PARAMETERS(Q, e4m3, T), int head_dim, ScalePair *scales) {                                  \
    attention(STEP_OF(Q, e4m3, T, scales), head_dim);                                                        \
  }
KERNEL(bf16, f16, bf16)
KERNEL(f16, f16, f16)
KERNEL(f32, float, float)
