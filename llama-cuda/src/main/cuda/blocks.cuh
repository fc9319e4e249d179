// GGUF's blocks of quantised values, decoded with the same roundings as core's BlockFormats: a product or
// difference is rounded by itself, never fused.
//
//   Q8_0 |d f16| q[32] i8 |                                  x[j] = d * q[j]
//   Q4_0 |d f16| qs[16]   |                                  x[j] = d * (low nibble j - 8), x[j + 16] high nibble
//   Q4_K |d f16|dmin f16| scales[12] | qs[128] |             sub-blocks of 32: x = d * scale * q - dmin * min
//   Q6_K |ql[128]| qh[64] | scales[16] i8 |d f16|            sub-blocks of 16: x = d * scale * (q - 32)
//
// Blocks are 18 to 210 bytes long and packed without padding, so that two bytes are the widest access that is
// always aligned.
//
// Source of the layouts: ggml's ggml-common.h and ggml-quants.c.
#pragma once

#include "values.cuh"

// Two bytes at any even address.
__device__ __forceinline__ uint32_t half_word(const uint8_t *at) { return *reinterpret_cast<const uint16_t *>(at); }

__device__ __forceinline__ float scale_at(const uint8_t *at) {
  return __half2float(*reinterpret_cast<const __half *>(at));
}

// Eight bytes at any even address, the first lowest.
__device__ __forceinline__ void eight_bytes(const uint8_t *at, uint32_t (&bytes)[VECTOR]) {
#pragma unroll
  for (int i = 0; i < VECTOR; i += 2) {
    const uint32_t pair = half_word(at + i);
    bytes[i] = pair & 0xFFu;
    bytes[i + 1] = pair >> 8;
  }
}

// Each format decodes VECTOR values from `first` (a multiple of VECTOR) on of the block at `block`.
struct Q8_0 {
  static constexpr int VALUES = 32;
  static constexpr int BYTES = 34;

  __device__ static void decode(const uint8_t *block, int first, float (&x)[VECTOR]) {
    const float d = scale_at(block);
    uint32_t q[VECTOR];
    eight_bytes(block + 2 + first, q);
    for (int i = 0; i < VECTOR; i++) {
      x[i] = __fmul_rn(static_cast<float>(static_cast<int8_t>(q[i])), d);
    }
  }
};

struct Q4_0 {
  static constexpr int VALUES = 32;
  static constexpr int BYTES = 18;

  __device__ static void decode(const uint8_t *block, int first, float (&x)[VECTOR]) {
    const float d = scale_at(block);
    const int shift = first / 16 * 4;
    uint32_t q[VECTOR];
    eight_bytes(block + 2 + first % 16, q);
    for (int i = 0; i < VECTOR; i++) {
      x[i] = __fmul_rn(static_cast<float>(static_cast<int>(q[i] >> shift & 0xFu) - 8), d);
    }
  }
};

struct Q4_K {
  static constexpr int VALUES = 256;
  static constexpr int BYTES = 144;

  // Bytes 0..3 and 4..7 hold six bits of the first four scales and mins; their two top bits belong to the
  // last four, whose low nibbles share bytes 8..11.
  __device__ static void decode(const uint8_t *block, int first, float (&x)[VECTOR]) {
    const uint8_t *scales = block + 4;
    const int sub = first / 32;
    const int k = sub % 4;
    const uint32_t low_scale = scales[k];
    const uint32_t low_min = scales[k + 4];
    const uint32_t high = scales[k + 8];
    const uint32_t scale = sub < 4 ? low_scale & 63u : (high & 0xFu) | low_scale >> 6 << 4;
    const uint32_t min = sub < 4 ? low_min & 63u : high >> 4 | low_min >> 6 << 4;
    const float d = __fmul_rn(scale_at(block), static_cast<float>(scale));
    const float m = __fmul_rn(scale_at(block + 2), static_cast<float>(min));
    const int shift = sub % 2 * 4;
    uint32_t q[VECTOR];
    eight_bytes(block + 16 + sub / 2 * 32 + first % 32, q);
    for (int i = 0; i < VECTOR; i++) {
      x[i] = __fsub_rn(__fmul_rn(d, static_cast<float>(q[i] >> shift & 0xFu)), m);
    }
  }
};

struct Q6_K {
  static constexpr int VALUES = 256;
  static constexpr int BYTES = 210;

  // Each half of 128 values has 64 bytes of low nibbles and 32 bytes of high bit pairs, in four planes of 32.
  __device__ static void decode(const uint8_t *block, int first, float (&x)[VECTOR]) {
    const int half = first / 128;
    const int plane = first / 32 % 4;
    const int column = first % 32;
    const float d = __fmul_rn(scale_at(block + 208), static_cast<float>(static_cast<int8_t>(block[192 + first / 16])));
    const int low_shift = plane / 2 * 4;
    const int high_shift = plane * 2;
    uint32_t low[VECTOR];
    uint32_t high[VECTOR];
    eight_bytes(block + half * 64 + plane % 2 * 32 + column, low);
    eight_bytes(block + 128 + half * 32 + column, high);
    for (int i = 0; i < VECTOR; i++) {
      const uint32_t q = (low[i] >> low_shift & 0xFu) | (high[i] >> high_shift & 3u) << 4;
      x[i] = __fmul_rn(d, static_cast<float>(static_cast<int>(q) - 32));
    }
  }
};
