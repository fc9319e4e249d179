// decode_attention.cuh over caches of e4m3, named after the type of the results.

#include "decode_attention.cuh"

#define KERNEL(HEAD_DIM, NAME, T)                                                                            \
  extern "C" __global__ void __launch_bounds__(THREADS, 4) decode_attention_##HEAD_DIM##_fp8_##NAME(         \
      STEP_PARAMETERS(f16, e4m3, T), float *partials, float2 *partial_stats, int first_token,                \
      ScalePair *scales) {                                                                             \
    decode_attention<HEAD_DIM>(STEP_OF(f16, e4m3, T, scales), partials, partial_stats, first_token);         \
  }
KERNEL(64, bf16, bf16)
KERNEL(64, f16, f16)
KERNEL(128, bf16, bf16)
KERNEL(128, f16, f16)
