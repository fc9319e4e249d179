// prefill_attention.cuh over caches of e4m3, named after the type of the results.

#include "prefill_attention.cuh"

#define KERNEL(HEAD_DIM, NAME, T)                                                                            \
  extern "C" __global__ void __launch_bounds__(THREADS) prefill_attention_##HEAD_DIM##_fp8_##NAME(           \
      STEP_PARAMETERS(f16, e4m3, T), ScalePair *scales) {                                              \
    prefill_attention<HEAD_DIM>(STEP_OF(f16, e4m3, T, scales));                                              \
  }
KERNEL(64, bf16, bf16)
KERNEL(64, f16, f16)
KERNEL(128, bf16, bf16)
KERNEL(128, f16, f16)
