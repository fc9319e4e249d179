// prefill_attention.cuh over caches of the activation type.

#include "prefill_attention.cuh"

#define KERNEL(HEAD_DIM, NAME, T)                                                                            \
  extern "C" __global__ void __launch_bounds__(THREADS) prefill_attention_##HEAD_DIM##_##NAME(               \
      STEP_PARAMETERS(T, T, T)) {                                                                            \
    prefill_attention<HEAD_DIM>(STEP_OF(T, T, T));                                                           \
  }
KERNEL(64, bf16, bf16)
KERNEL(64, f16, f16)
KERNEL(128, bf16, bf16)
KERNEL(128, f16, f16)
