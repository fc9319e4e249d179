// Keys and values of 8 bits: e4m3 (one sign, four bits of exponent, three of mantissa; largest 448), each row of
// headDim of them scaled by a power of two of its own, so that its largest element lies between 224 and 448.
//
//   pools    [block][kv head][slot][headDim] e4m3, as drawn in rope_and_store_kv.cuh
//   scales   [block][kv head][slot] ScalePair: what the slot's key and its value are multiplied by
//
// A power of two, because a scale then changes no digit: an e4m3 has as many of them near 448 as near 1. So a value
// is rounded once, when it is stored, and what is read back is exact in f16 and f32, and scales are applied to
// scores and weights, of which there are fewer than elements.
//
// Compute capability 8.9 and above convert two of them by one instruction.
//
// Source: Micikevicius et al., arXiv 2209.05433 (e4m3).
#pragma once

#include "values.cuh"

struct e4m3 {
  uint8_t bits;
};

// Powers of two, which are exact in a bf16.
struct ScalePair {
  bf16 key;
  bf16 value;
};
constexpr int SCALE_BYTES = sizeof(ScalePair);
static_assert(SCALE_BYTES == sizeof(uint32_t), "copied as one word");

// Whether the rows of a cache of K have scales, and where those are.
template <typename K> constexpr bool IS_SCALED = false;
template <> constexpr bool IS_SCALED<e4m3> = true;

template <typename K> struct RowScales {};
template <> struct RowScales<e4m3> {
  ScalePair *pairs;
};

constexpr int EXPONENT_BIAS = 127;
constexpr int MANTISSA_BITS = 23;

// Of two neighbours the first is the low one, in e4m3 as in f16.
__device__ __forceinline__ uint32_t widen_pair(uint32_t pair) {
  uint32_t wide;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(wide) : "h"(static_cast<uint16_t>(pair)));
  return wide;
}

// To the nearest, ties to even; what is too large to the largest. NaN stays NaN.
__device__ __forceinline__ uint32_t narrow_pair(float low, float high) {
  uint16_t pair;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(high), "f"(low));
  return pair;
}

template <> __device__ __forceinline__ e4m3 round_to<e4m3>(float value) {
  return {static_cast<uint8_t>(narrow_pair(value, 0))};
}

__device__ __forceinline__ float to_float(e4m3 value) {
  float low, high;
  unpack_pair(widen_pair(value.bits), low, high, f16());
  return low;
}

// Eight of them are eight bytes.
__device__ __forceinline__ void load_vector(const e4m3 *from, float (&values)[VECTOR]) {
  const uint2 packed = *reinterpret_cast<const uint2 *>(from);
  unpack_pair(widen_pair(packed.x), values[0], values[1], f16());
  unpack_pair(widen_pair(packed.x >> 16), values[2], values[3], f16());
  unpack_pair(widen_pair(packed.y), values[4], values[5], f16());
  unpack_pair(widen_pair(packed.y >> 16), values[6], values[7], f16());
}

__device__ __forceinline__ void store_vector(e4m3 *to, const float (&values)[VECTOR]) {
  *reinterpret_cast<uint2 *>(to) =
      make_uint2(narrow_pair(values[0], values[1]) | narrow_pair(values[2], values[3]) << 16,
                 narrow_pair(values[4], values[5]) | narrow_pair(values[6], values[7]) << 16);
}

// The scale of a row, as the bits of a float: the smallest power of two that brings its largest magnitude to 448 or
// below, 1.75 * 2^8. At least 2^-24: smaller rows are nothing beside others, and their scale's inverse stays small.
__device__ __forceinline__ uint32_t scale_bits(uint32_t largest_bits) {
  constexpr uint32_t SMALLEST = EXPONENT_BIAS - 24;
  // Carries into the exponent from 1.75 on.
  const uint32_t exponent = (largest_bits + (1u << (MANTISSA_BITS - 2)) - 1) >> MANTISSA_BITS;
  return max(exponent, SMALLEST + 8) - 8 << MANTISSA_BITS;
}

// 1 / scale of a power of two.
__device__ __forceinline__ float inverse_of(uint32_t scale_bits) {
  return __uint_as_float((2u * EXPONENT_BIAS << MANTISSA_BITS) - scale_bits);
}

// A pair of scales as a reader of scores wants it.
struct RowFactors {
  float key;            // of the score
  float value_exponent; // the value's scale is 2^this
  float value_inverse;  // 2^-value_exponent

  __device__ __forceinline__ explicit RowFactors(uint32_t pair) {
    const uint32_t value = pair & 0xFFFF0000u;
    key = __uint_as_float(pair << 16);
    // An integer below 2^23 in a float's mantissa is 2^23 more than itself.
    constexpr uint32_t TWO_23 = (EXPONENT_BIAS + MANTISSA_BITS) << MANTISSA_BITS;
    value_exponent = __uint_as_float(TWO_23 | value >> MANTISSA_BITS) - (8388608 + EXPONENT_BIAS);
    value_inverse = inverse_of(value);
  }
};
