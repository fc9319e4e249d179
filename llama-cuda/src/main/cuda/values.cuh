// Element types and vectors of eight elements.
//
// Activations and matrices are bf16, f16 or f32 (the exact path); arithmetic is float, and a value is
// rounded once, when it is stored. Vectors that a whole row shares (norm weights, biases) are always f32.
// Every kernel has a path for rows whose length is a multiple of VECTOR, which moves 16 bytes per access
// and so needs 16-byte aligned pointers, and a path for all other lengths, element by element.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cstdint>

using bf16 = __nv_bfloat16;
using f16 = __half;

constexpr int VECTOR = 8;
constexpr int WARP = 32;

__device__ __forceinline__ float to_float(bf16 value) { return __bfloat162float(value); }
__device__ __forceinline__ float to_float(f16 value) { return __half2float(value); }
__device__ __forceinline__ float to_float(float value) { return value; }

// Rounds to the nearest T, ties to even.
template <typename T> __device__ __forceinline__ T round_to(float value);
template <> __device__ __forceinline__ bf16 round_to<bf16>(float value) { return __float2bfloat16_rn(value); }
template <> __device__ __forceinline__ f16 round_to<f16>(float value) { return __float2half_rn(value); }
template <> __device__ __forceinline__ float round_to<float>(float value) { return value; }

template <typename To, typename From> __device__ __forceinline__ To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

// VECTOR elements as they lie in memory. Loads of several before the first is unpacked are in flight together.
template <typename T> struct Packed {
  uint4 words[VECTOR * sizeof(T) / sizeof(uint4)];
};

template <typename T> __device__ __forceinline__ Packed<T> load_packed(const T *from) {
  Packed<T> packed;
  for (int i = 0; i < sizeof(packed) / sizeof(uint4); i++) {
    packed.words[i] = reinterpret_cast<const uint4 *>(from)[i];
  }
  return packed;
}

// A bf16 is the upper half of a float.
__device__ __forceinline__ void unpack_pair(uint32_t pair, float &low, float &high, bf16) {
  low = __uint_as_float(pair << 16);
  high = __uint_as_float(pair & 0xFFFF0000u);
}

__device__ __forceinline__ void unpack_pair(uint32_t pair, float &low, float &high, f16) {
  const float2 both = __half22float2(bits_as<__half2>(pair));
  low = both.x;
  high = both.y;
}

__device__ __forceinline__ uint32_t pack_pair(float low, float high, bf16) {
  return bits_as<uint32_t>(__floats2bfloat162_rn(low, high));
}

__device__ __forceinline__ uint32_t pack_pair(float low, float high, f16) {
  return bits_as<uint32_t>(__floats2half2_rn(low, high));
}

template <typename T> __device__ __forceinline__ void unpack(const Packed<T> &packed, float (&values)[VECTOR]) {
  const uint4 pairs = packed.words[0];
  unpack_pair(pairs.x, values[0], values[1], T());
  unpack_pair(pairs.y, values[2], values[3], T());
  unpack_pair(pairs.z, values[4], values[5], T());
  unpack_pair(pairs.w, values[6], values[7], T());
}

template <> __device__ __forceinline__ void unpack<float>(const Packed<float> &packed, float (&values)[VECTOR]) {
  for (int i = 0; i < VECTOR / 4; i++) {
    values[4 * i] = __uint_as_float(packed.words[i].x);
    values[4 * i + 1] = __uint_as_float(packed.words[i].y);
    values[4 * i + 2] = __uint_as_float(packed.words[i].z);
    values[4 * i + 3] = __uint_as_float(packed.words[i].w);
  }
}

template <typename T> __device__ __forceinline__ void load_vector(const T *from, float (&values)[VECTOR]) {
  unpack(load_packed(from), values);
}

template <typename T> __device__ __forceinline__ void store_vector(T *to, const float (&values)[VECTOR]) {
  *reinterpret_cast<uint4 *>(to) =
      make_uint4(pack_pair(values[0], values[1], T()), pack_pair(values[2], values[3], T()),
                 pack_pair(values[4], values[5], T()), pack_pair(values[6], values[7], T()));
}

__device__ __forceinline__ void store_vector(float *to, const float (&values)[VECTOR]) {
  reinterpret_cast<float4 *>(to)[0] = make_float4(values[0], values[1], values[2], values[3]);
  reinterpret_cast<float4 *>(to)[1] = make_float4(values[4], values[5], values[6], values[7]);
}

// One extern "C" kernel per activation type, named after it: NAME_bf16, NAME_f16, NAME_f32.
#define FOR_EACH_ACTIVATION_TYPE(KERNEL) KERNEL(bf16, bf16) KERNEL(f16, f16) KERNEL(f32, float)
