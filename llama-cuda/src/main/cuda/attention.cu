// plain_attention.cuh over caches of the activation type.

#include "plain_attention.cuh"

#define KERNEL(NAME, T)                                                                                      \
  extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) attention_##NAME(STEP_PARAMETERS(T, T, T),   \
                                                                                 int head_dim) {             \
    attention(STEP_OF(T, T, T), head_dim);                                                                   \
  }
FOR_EACH_ACTIVATION_TYPE(KERNEL)
