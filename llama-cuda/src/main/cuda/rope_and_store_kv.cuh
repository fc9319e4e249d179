// Rotary position embedding of queries and keys, and the write of keys and values to the paged cache.
//
// A token's row of the fused projection, f32, so that queries and keys are rounded once, after they are turned:
//
//   qkv [numTokens][(numHeads + 2 * numKvHeads) * headDim]
//       | q head 0 | q head 1 | ... | k head 0 | ... | v head 0 | ... |
//         turned, to queries          turned and stored   stored
//
//   queries [numTokens][numHeads * headDim]
//
// The cache is two pools of one layer, keys and values, each
//
//   [block][kv head][slot in block][headDim]
//
//   block 0                                             block 1
//   | kv head 0               | kv head 1              || ...
//   | slot 0 | slot 1 | ...   | slot 0 | slot 1 | ...  ||
//     headDim elements, contiguous
//
// so that attention over one kv head reads blockSize * headDim contiguous elements per block. A token's slot
// is block * blockSize + slot in block. A negative slot stores nothing: rows that pad a batch have -1.
//
// A cache of 8 bits has a pool of scales beside them (fp8_cache.cuh). Queries are then f16 for all 16-bit types, as
// e4m3 widens to it; one beyond f16's 65504 becomes infinite, and its logits NaN.
//
// cos, sin [maxPositions][headDim / 2] f32, all frequency scaling included (core's RotaryTable). Pair i of a
// head is (i, i + headDim / 2) in the rotate_half kernels, (2i, 2i + 1) in the interleaved ones. LLaMA turns
// all pairs of a head.
//
// Grid: x = token. Block: x = exactly the units of a head (8 pairs, 4 pairs or one pair), y = any number of heads.
//
// Source: Su et al., arXiv 2104.09864; pairings: docs/adr/0006.

#pragma once

#include "fp8_cache.cuh"
#include "values.cuh"

// With the roundings spelled out: of a plain product and sum the driver's translator may or may not make one
// fused operation.
__device__ __forceinline__ void turn(float &a, float &b, float cos, float sin) {
  const float first = __fmaf_rn(a, cos, -__fmul_rn(b, sin));
  b = __fmaf_rn(b, cos, __fmul_rn(a, sin));
  a = first;
}

// Units of 8 pairs: two vectors half a head apart.
struct RotateHalf {
  static constexpr int UNIT = VECTOR;
  using Elements = float[2][VECTOR];
  float cos[VECTOR];
  float sin[VECTOR];

  __device__ __forceinline__ RotateHalf(const float *cos_row, const float *sin_row, int pair) {
    load_vector(cos_row + pair, cos);
    load_vector(sin_row + pair, sin);
  }

  __device__ __forceinline__ void load(Elements &to, const float *from, bool rotate, int pair, int half) const {
    load_vector(from + pair, to[0]);
    load_vector(from + half + pair, to[1]);
    if (rotate) {
      for (int i = 0; i < VECTOR; i++) {
        turn(to[0][i], to[1][i], cos[i], sin[i]);
      }
    }
  }

  template <typename T> __device__ __forceinline__ static void store(T *to, const Elements &from, int pair, int half) {
    store_vector(to + pair, from[0]);
    store_vector(to + half + pair, from[1]);
  }
};

// Units of 4 pairs: one vector.
struct Interleaved {
  static constexpr int UNIT = VECTOR / 2;
  using Elements = float[1][VECTOR];
  float cos[UNIT];
  float sin[UNIT];

  __device__ __forceinline__ Interleaved(const float *cos_row, const float *sin_row, int pair) {
    const float4 c = *reinterpret_cast<const float4 *>(cos_row + pair);
    const float4 s = *reinterpret_cast<const float4 *>(sin_row + pair);
    cos[0] = c.x, cos[1] = c.y, cos[2] = c.z, cos[3] = c.w;
    sin[0] = s.x, sin[1] = s.y, sin[2] = s.z, sin[3] = s.w;
  }

  __device__ __forceinline__ void load(Elements &to, const float *from, bool rotate, int pair, int) const {
    load_vector(from + 2 * pair, to[0]);
    if (rotate) {
      for (int i = 0; i < UNIT; i++) {
        turn(to[0][2 * i], to[0][2 * i + 1], cos[i], sin[i]);
      }
    }
  }

  template <typename T> __device__ __forceinline__ static void store(T *to, const Elements &from, int pair, int) {
    store_vector(to + 2 * pair, from[0]);
  }
};

// One pair, for head widths that no vector divides.
template <bool INTERLEAVED> struct SinglePair {
  static constexpr int UNIT = 1;
  using Elements = float[1][2];
  float cos;
  float sin;

  __device__ __forceinline__ SinglePair(const float *cos_row, const float *sin_row, int pair)
      : cos(cos_row[pair]), sin(sin_row[pair]) {}

  __device__ __forceinline__ static int first(int pair) { return INTERLEAVED ? 2 * pair : pair; }

  __device__ __forceinline__ static int second(int pair, int half) { return INTERLEAVED ? 2 * pair + 1 : pair + half; }

  __device__ __forceinline__ void load(Elements &to, const float *from, bool rotate, int pair, int half) const {
    to[0][0] = from[first(pair)];
    to[0][1] = from[second(pair, half)];
    if (rotate) {
      turn(to[0][0], to[0][1], cos, sin);
    }
  }

  template <typename T> __device__ __forceinline__ static void store(T *to, const Elements &from, int pair, int half) {
    to[first(pair)] = round_to<T>(from[0][0]);
    to[second(pair, half)] = round_to<T>(from[0][1]);
  }
};

// Launch bounds say no more.
constexpr int MAX_THREADS = 512;

// Where a token's keys and values go.
template <typename K> struct Slot {
  K *keys;
  K *values;
  RowScales<K> scales;
  int64_t first_row; // of kv head 0
  int rows_per_head;

  // Row of the pools, and of the scales, that kv head `head` of the slot has.
  __device__ __forceinline__ int64_t row(int head) const {
    return first_row + static_cast<int64_t>(head) * rows_per_head;
  }
};

// Keys and values with their scales. The scale of a row is known when all its threads have said how large their
// elements are.
template <typename Unit>
__device__ __forceinline__ void store_scaled(const Unit &unit, const float *keys_and_values, const Slot<e4m3> &slot,
                                             int num_kv_heads, int head_dim, int pair) {
  // Bits of magnitudes, which are ordered as integers.
  __shared__ uint32_t largest_bits[MAX_THREADS];
  const int half = head_dim / 2;
#pragma unroll 1
  for (int first = 0; first < 2 * num_kv_heads; first += blockDim.y) {
    const int row = first + threadIdx.y;
    const bool exists = row < 2 * num_kv_heads;
    const bool is_key = row < num_kv_heads;
    if (threadIdx.x == 0) {
      largest_bits[threadIdx.y] = 0;
    }
    __syncthreads();
    typename Unit::Elements elements;
    if (exists) {
      unit.load(elements, keys_and_values + row * head_dim, is_key, pair, half);
      float largest = 0;
      for (const auto &vector : elements) {
        for (float element : vector) {
          largest = fmaxf(largest, fabsf(element));
        }
      }
      atomicMax(&largest_bits[threadIdx.y], __float_as_uint(largest));
    }
    __syncthreads();
    if (exists) {
      const uint32_t scale = scale_bits(largest_bits[threadIdx.y]);
      for (auto &vector : elements) {
        for (float &element : vector) {
          element *= inverse_of(scale);
        }
      }
      const int64_t to = slot.row(is_key ? row : row - num_kv_heads);
      Unit::store((is_key ? slot.keys : slot.values) + to * head_dim, elements, pair, half);
      if (threadIdx.x == 0) {
        ScalePair &scales = slot.scales.pairs[to];
        (is_key ? scales.key : scales.value) = round_to<bf16>(__uint_as_float(scale));
      }
    }
    __syncthreads();
  }
}

template <typename Q, typename K, typename Unit>
__device__ __forceinline__ void rope_and_store_kv(const float *__restrict__ qkv,
                                                  const int *__restrict__ positions,
                                                  const int *__restrict__ slots, const float *__restrict__ cos,
                                                  const float *__restrict__ sin, Q *queries, K *keys, K *values,
                                                  int num_heads, int num_kv_heads, int head_dim, int block_size,
                                                  RowScales<K> scales) {
  const int half = head_dim / 2;
  const int all_heads = num_heads + 2 * num_kv_heads;
  const float *row = qkv + static_cast<int64_t>(blockIdx.x) * all_heads * head_dim;
  Q *turned = queries + static_cast<int64_t>(blockIdx.x) * num_heads * head_dim;
  const int64_t angles = static_cast<int64_t>(positions[blockIdx.x]) * half;
  const int slot = slots[blockIdx.x];
  const int pair = threadIdx.x * Unit::UNIT;
  const Unit unit(cos + angles, sin + angles, pair);
  const int64_t block = slot / block_size;
  const Slot<K> place = {keys, values, scales, block * num_kv_heads * block_size + slot % block_size, block_size};
#pragma unroll 1
  for (int head = threadIdx.y; head < (IS_SCALED<K> ? num_heads : all_heads); head += blockDim.y) {
    const float *from = row + head * head_dim;
    typename Unit::Elements elements;
    if (head < num_heads) {
      unit.load(elements, from, true, pair, half);
      Unit::store(turned + head * head_dim, elements, pair, half);
    } else if (slot >= 0) {
      const bool is_key = head < num_heads + num_kv_heads;
      const int kv_head = head - num_heads - (is_key ? 0 : num_kv_heads);
      unit.load(elements, from, is_key, pair, half);
      Unit::store((is_key ? keys : values) + place.row(kv_head) * head_dim, elements, pair, half);
    }
  }
  if constexpr (IS_SCALED<K>) {
    if (slot >= 0) {
      store_scaled(unit, row + num_heads * head_dim, place, num_kv_heads, head_dim, pair);
    }
  }
}

#define ROPE_PARAMETERS(Q, K)                                                                                \
  const float *qkv, const int *positions, const int *slots, const float *cos, const float *sin, Q *queries,  \
      K *keys, K *values, int num_heads, int num_kv_heads, int head_dim, int block_size

// The kernel's body: units as large as the head's width allows.
#define ROPE_AND_STORE_KV(Q, K, VECTOR_UNIT, SINGLE_UNIT, ...)                                               \
  if (head_dim / 2 % VECTOR_UNIT::UNIT == 0) {                                                               \
    rope_and_store_kv<Q, K, VECTOR_UNIT>(qkv, positions, slots, cos, sin, queries, keys, values, num_heads,  \
                                         num_kv_heads, head_dim, block_size, {__VA_ARGS__});                 \
  } else {                                                                                                   \
    rope_and_store_kv<Q, K, SINGLE_UNIT>(qkv, positions, slots, cos, sin, queries, keys, values, num_heads,  \
                                         num_kv_heads, head_dim, block_size, {__VA_ARGS__});                 \
  }
