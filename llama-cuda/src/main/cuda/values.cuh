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

__device__ __forceinline__ void load_vector(const float *from, float (&values)[VECTOR]) {
  const float4 low = reinterpret_cast<const float4 *>(from)[0];
  const float4 high = reinterpret_cast<const float4 *>(from)[1];
  values[0] = low.x, values[1] = low.y, values[2] = low.z, values[3] = low.w;
  values[4] = high.x, values[5] = high.y, values[6] = high.z, values[7] = high.w;
}

__device__ __forceinline__ void store_vector(float *to, const float (&values)[VECTOR]) {
  reinterpret_cast<float4 *>(to)[0] = make_float4(values[0], values[1], values[2], values[3]);
  reinterpret_cast<float4 *>(to)[1] = make_float4(values[4], values[5], values[6], values[7]);
}

// A bf16 is the upper half of a float.
__device__ __forceinline__ void unpack(uint32_t pair, float &low, float &high, const bf16 *) {
  low = __uint_as_float(pair << 16);
  high = __uint_as_float(pair & 0xFFFF0000u);
}

__device__ __forceinline__ void unpack(uint32_t pair, float &low, float &high, const f16 *) {
  const float2 both = __half22float2(bits_as<__half2>(pair));
  low = both.x;
  high = both.y;
}

__device__ __forceinline__ uint32_t pack(float low, float high, const bf16 *) {
  return bits_as<uint32_t>(__floats2bfloat162_rn(low, high));
}

__device__ __forceinline__ uint32_t pack(float low, float high, const f16 *) {
  return bits_as<uint32_t>(__floats2half2_rn(low, high));
}

template <typename T> __device__ __forceinline__ void load_vector(const T *from, float (&values)[VECTOR]) {
  const uint4 pairs = *reinterpret_cast<const uint4 *>(from);
  unpack(pairs.x, values[0], values[1], from);
  unpack(pairs.y, values[2], values[3], from);
  unpack(pairs.z, values[4], values[5], from);
  unpack(pairs.w, values[6], values[7], from);
}

template <typename T> __device__ __forceinline__ void store_vector(T *to, const float (&values)[VECTOR]) {
  *reinterpret_cast<uint4 *>(to) =
      make_uint4(pack(values[0], values[1], to), pack(values[2], values[3], to), pack(values[4], values[5], to),
                 pack(values[6], values[7], to));
}

// One extern "C" kernel per activation type, named after it: NAME_bf16, NAME_f16, NAME_f32.
#define FOR_EACH_ACTIVATION_TYPE(KERNEL) KERNEL(bf16, bf16) KERNEL(f16, f16) KERNEL(f32, float)
