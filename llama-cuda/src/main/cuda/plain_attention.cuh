// Attention for any head width, group and type: every token of a step, one block per token and head. The plain
// twin of decode_attention.cuh and prefill_attention.cuh, and the exact path: f32 all the way for f32.
//
//   out[token][head] = softmax(scale * q . K^T) V        K, V of kv head  head / (numHeads / numKvHeads)
//
// A token that sees no key, which pads a batch, gets zeros.
//
// Keys are taken 128 at a time, one per thread for the scores, whose largest and sum are carried along (online
// softmax); then a thread owns elements of the result.
//
// Grid: x = token, y = head. Block: 128 threads. Dynamic shared memory: 2 * headDim floats.
//
// Source: Milakov and Gimelshein, arXiv 1805.02867; Ainslie et al., arXiv 2305.13245 (groups).

#pragma once

#include "attention.cuh"

constexpr int THREADS = 128;
constexpr int BLOCKS = 8; // per multiprocessor: registers for several loads in flight

__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int lanes = WARP / 2; lanes > 0; lanes /= 2) {
    value = fmaxf(value, __shfl_xor_sync(ALL_LANES, value, lanes));
  }
  return value;
}

template <typename K>
__device__ __forceinline__ float product(const float *query, const K *key, int head_dim) {
  float sum = 0;
  if (head_dim % VECTOR == 0) {
#pragma unroll 2
    for (int i = 0; i < head_dim; i += VECTOR) {
      float of_query[VECTOR];
      float of_key[VECTOR];
      load_vector(key + i, of_key);
      load_vector(query + i, of_query);
      for (int j = 0; j < VECTOR; j++) {
        sum = fmaf(of_query[j], of_key[j], sum);
      }
    }
  } else {
#pragma unroll 1
    for (int i = 0; i < head_dim; i++) {
      sum = fmaf(query[i], to_float(key[i]), sum);
    }
  }
  return sum;
}

template <typename Q, typename K, typename T>
__device__ __forceinline__ void attention(const Step<Q, K, T> &step, int head_dim) {
  extern __shared__ __align__(16) float row_pair[];
  __shared__ float weights[THREADS];
  __shared__ float value_scales[IS_SCALED<K> ? THREADS : 1];
  __shared__ int rows[THREADS];
  __shared__ float warp_largest[THREADS / WARP];
  float *query = row_pair;
  float *sums = row_pair + head_dim;

  const int token = blockIdx.x;
  const int head = blockIdx.y;
  const int sequence = find_sequence(step.query_starts, step.num_sequences, 1, token);
  const int next_start = step.query_starts[sequence + 1];
  const int visible = step.context_lengths[sequence] - (next_start - 1 - token);
  if (token >= next_start) {
    return;
  }
  T *to = step.result(token, head, head_dim);
  if (visible <= 0) {
#pragma unroll 1
    for (int i = threadIdx.x; i < head_dim; i += THREADS) {
      to[i] = round_to<T>(0);
    }
    return;
  }

  const Q *from = step.query(token, head, head_dim);
#pragma unroll 1
  for (int i = threadIdx.x; i < head_dim; i += THREADS) {
    query[i] = to_float(from[i]);
    sums[i] = 0;
  }
  const KeyPlaces places(step, sequence, head / (step.num_heads / step.num_kv_heads), visible);
  const float scale = step.scale * LOG2_E;
  float largest = -INFINITY;
  float sum = 0;
#pragma unroll 1
  for (int first = 0; first < visible; first += THREADS) {
    __syncthreads();
    const int count = min(THREADS, visible - first);
    float score = -INFINITY;
    if (threadIdx.x < count) {
      const int row = places.row(places(first + threadIdx.x));
      score = product(query, step.keys + static_cast<int64_t>(row) * head_dim, head_dim);
      if constexpr (IS_SCALED<K>) {
        const ScalePair scales = step.row_scales.pairs[row];
        score *= to_float(scales.key);
        value_scales[threadIdx.x] = to_float(scales.value);
      }
      rows[threadIdx.x] = row;
    }
    const float of_warp = warp_max(score);
    if (threadIdx.x % WARP == 0) {
      warp_largest[threadIdx.x / WARP] = of_warp;
    }
    __syncthreads();
    float next = largest;
    for (int warp = 0; warp < THREADS / WARP; warp++) {
      next = fmaxf(next, warp_largest[warp]);
    }
    weights[threadIdx.x] = exp2f((score - next) * scale);
    const float shrink = exp2f((largest - next) * scale);
    largest = next;
    __syncthreads();

    float sum_of_tile = 0;
#pragma unroll 8
    for (int k = 0; k < count; k++) {
      sum_of_tile += weights[k];
    }
    sum = fmaf(sum, shrink, sum_of_tile);
#pragma unroll 1
    for (int i = threadIdx.x; i < head_dim; i += THREADS) {
      float element = sums[i] * shrink;
      // Loads in flight: each is a row of its own.
#pragma unroll 8
      for (int k = 0; k < count; k++) {
        float value = to_float(step.values[static_cast<int64_t>(rows[k]) * head_dim + i]);
        if constexpr (IS_SCALED<K>) {
          value *= value_scales[k];
        }
        element = fmaf(weights[k], value, element);
      }
      sums[i] = element;
    }
  }
#pragma unroll 1
  for (int i = threadIdx.x; i < head_dim; i += THREADS) {
    to[i] = round_to<T>(sums[i] / sum);
  }
}
