// The order in which logits are preferred, as integers, so that a maximum or a count of integers is all that
// is left. A row with a NaN or plus infinity has no softmax, nor has a row of minus infinities: the rules of
// core's Sampler.
#pragma once

#include "values.cuh"

constexpr uint32_t BROKEN = 0xFFFFFFFFu;
constexpr uint32_t MINUS_INFINITY = 0x007FFFFFu;

// Unsigned order of floats: both zeros equal, NaN and plus infinity above all.
__device__ __forceinline__ uint32_t order_of(float logit) {
  const uint32_t bits = __float_as_uint(logit + 0.0f);
  const uint32_t order = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return logit <= 3.402823466e+38f ? order : BROKEN;
}

// Larger logit first, then lower id:
//
//   | order of the logit, 32 bits | bitwise not of the id, 32 bits |
__device__ __forceinline__ uint64_t key_of(float logit, int id) {
  return static_cast<uint64_t>(order_of(logit)) << 32 | ~static_cast<uint32_t>(id);
}

__device__ __forceinline__ uint64_t warp_max(uint64_t key) {
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    const uint64_t other = __shfl_xor_sync(0xFFFFFFFFu, static_cast<unsigned long long>(key), offset);
    key = other > key ? other : key;
  }
  return key;
}
