// decode_attention.cuh over caches of the activation type, and the merge of splits for every cache.

#include "decode_attention.cuh"

#define KERNEL(HEAD_DIM, NAME, T)                                                                            \
  extern "C" __global__ void __launch_bounds__(THREADS, 4) decode_attention_##HEAD_DIM##_##NAME(             \
      STEP_PARAMETERS(T, T, T), float *partials, float2 *partial_stats, int first_token) {                   \
    decode_attention<HEAD_DIM>(STEP_OF(T, T, T), partials, partial_stats, first_token);                      \
  }                                                                                                          \
  extern "C" __global__ void __launch_bounds__(HEAD_DIM) merge_splits_##HEAD_DIM##_##NAME(                   \
      const float *partials, const float2 *partial_stats, const int *query_starts,                           \
      const int *context_lengths, T *out, int num_splits, int num_sequences, int first_token) {              \
    merge_splits<T, HEAD_DIM>(partials, partial_stats, query_starts, context_lengths, out, num_splits,       \
                              num_sequences, first_token);                                                   \
  }
KERNEL(64, bf16, bf16)
KERNEL(64, f16, f16)
KERNEL(128, bf16, bf16)
KERNEL(128, f16, f16)
