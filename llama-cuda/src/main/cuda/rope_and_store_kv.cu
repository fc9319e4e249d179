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
// cos, sin [maxPositions][headDim / 2] f32, all frequency scaling included (core's RotaryTable). Pair i of a
// head is (i, i + headDim / 2) in the rotate_half kernels, (2i, 2i + 1) in the interleaved ones. LLaMA turns
// all pairs of a head.
//
// Grid: x = token. Block: x = exactly the units of a head (8 pairs, 4 pairs or one pair), y = any number of heads.
//
// Source: Su et al., arXiv 2104.09864; pairings: docs/adr/0006.

#include "values.cuh"

// With the roundings spelled out: of a plain product and sum the driver's translator may or may not make one
// fused operation.
__device__ __forceinline__ void turn(float &a, float &b, float cos, float sin) {
  const float first = __fmaf_rn(a, cos, -__fmul_rn(b, sin));
  b = __fmaf_rn(b, cos, __fmul_rn(a, sin));
  a = first;
}

// Units of 8 pairs: two vectors half a head apart.
template <typename T> struct RotateHalf {
  static constexpr int UNIT = VECTOR;
  float cos[VECTOR];
  float sin[VECTOR];

  __device__ __forceinline__ RotateHalf(const float *cos_row, const float *sin_row, int pair) {
    load_vector(cos_row + pair, cos);
    load_vector(sin_row + pair, sin);
  }

  __device__ __forceinline__ void move(const float *from, T *to, bool rotate, int pair, int half) const {
    float a[VECTOR];
    float b[VECTOR];
    load_vector(from + pair, a);
    load_vector(from + half + pair, b);
    if (rotate) {
      for (int i = 0; i < VECTOR; i++) {
        turn(a[i], b[i], cos[i], sin[i]);
      }
    }
    store_vector(to + pair, a);
    store_vector(to + half + pair, b);
  }
};

// Units of 4 pairs: one vector.
template <typename T> struct Interleaved {
  static constexpr int UNIT = VECTOR / 2;
  float cos[UNIT];
  float sin[UNIT];

  __device__ __forceinline__ Interleaved(const float *cos_row, const float *sin_row, int pair) {
    const float4 c = *reinterpret_cast<const float4 *>(cos_row + pair);
    const float4 s = *reinterpret_cast<const float4 *>(sin_row + pair);
    cos[0] = c.x, cos[1] = c.y, cos[2] = c.z, cos[3] = c.w;
    sin[0] = s.x, sin[1] = s.y, sin[2] = s.z, sin[3] = s.w;
  }

  __device__ __forceinline__ void move(const float *from, T *to, bool rotate, int pair, int) const {
    float values[VECTOR];
    load_vector(from + 2 * pair, values);
    if (rotate) {
      for (int i = 0; i < UNIT; i++) {
        turn(values[2 * i], values[2 * i + 1], cos[i], sin[i]);
      }
    }
    store_vector(to + 2 * pair, values);
  }
};

// One pair, for head widths that no vector divides.
template <typename T, bool INTERLEAVED> struct SinglePair {
  static constexpr int UNIT = 1;
  float cos;
  float sin;

  __device__ __forceinline__ SinglePair(const float *cos_row, const float *sin_row, int pair)
      : cos(cos_row[pair]), sin(sin_row[pair]) {}

  __device__ __forceinline__ void move(const float *from, T *to, bool rotate, int pair, int half) const {
    const int first = INTERLEAVED ? 2 * pair : pair;
    const int second = INTERLEAVED ? first + 1 : first + half;
    float a = from[first];
    float b = from[second];
    if (rotate) {
      turn(a, b, cos, sin);
    }
    to[first] = round_to<T>(a);
    to[second] = round_to<T>(b);
  }
};

template <typename T, typename Unit>
__device__ __forceinline__ void rope_and_store_kv(const float *__restrict__ qkv,
                                                  const int *__restrict__ positions,
                                                  const int *__restrict__ slots, const float *__restrict__ cos,
                                                  const float *__restrict__ sin, T *queries, T *keys, T *values,
                                                  int num_heads, int num_kv_heads, int head_dim, int block_size) {
  const int half = head_dim / 2;
  const int all_heads = num_heads + 2 * num_kv_heads;
  const float *row = qkv + static_cast<int64_t>(blockIdx.x) * all_heads * head_dim;
  T *turned = queries + static_cast<int64_t>(blockIdx.x) * num_heads * head_dim;
  const int64_t angles = static_cast<int64_t>(positions[blockIdx.x]) * half;
  const int slot = slots[blockIdx.x];
  const int pair = threadIdx.x * Unit::UNIT;
  const Unit unit(cos + angles, sin + angles, pair);
#pragma unroll 1
  for (int head = threadIdx.y; head < all_heads; head += blockDim.y) {
    const float *from = row + head * head_dim;
    if (head < num_heads) {
      unit.move(from, turned + head * head_dim, true, pair, half);
    } else if (slot >= 0) {
      const bool is_key = head < num_heads + num_kv_heads;
      const int kv_head = head - num_heads - (is_key ? 0 : num_kv_heads);
      const int64_t block = slot / block_size;
      const int64_t cache_row = (block * num_kv_heads + kv_head) * block_size + slot % block_size;
      unit.move(from, (is_key ? keys : values) + cache_row * head_dim, is_key, pair, half);
    }
  }
}

template <typename T> using SingleHalf = SinglePair<T, false>;
template <typename T> using SingleInterleaved = SinglePair<T, true>;

#define KERNEL_OF(LAYOUT, NAME, T, VECTOR_UNIT, SINGLE_UNIT)                                                 \
  extern "C" __global__ void __launch_bounds__(512) rope_and_store_kv_##LAYOUT##_##NAME(                     \
      const float *qkv, const int *positions, const int *slots, const float *cos, const float *sin,          \
      T *queries, T *keys, T *values, int num_heads, int num_kv_heads, int head_dim, int block_size) {       \
    if (head_dim / 2 % VECTOR_UNIT<T>::UNIT == 0) {                                                          \
      rope_and_store_kv<T, VECTOR_UNIT<T>>(qkv, positions, slots, cos, sin, queries, keys, values,           \
                                           num_heads, num_kv_heads, head_dim, block_size);                   \
    } else {                                                                                                 \
      rope_and_store_kv<T, SINGLE_UNIT<T>>(qkv, positions, slots, cos, sin, queries, keys, values,           \
                                           num_heads, num_kv_heads, head_dim, block_size);                   \
    }                                                                                                        \
  }
#define KERNEL(NAME, T)                                                                                      \
  KERNEL_OF(rotate_half, NAME, T, RotateHalf, SingleHalf)                                                    \
  KERNEL_OF(interleaved, NAME, T, Interleaved, SingleInterleaved)
FOR_EACH_ACTIVATION_TYPE(KERNEL)
