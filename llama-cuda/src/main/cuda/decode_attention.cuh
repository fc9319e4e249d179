// Attention of sequences that bring one token, over paged caches of 16 and 8 bits, head widths 64 and 128: flash
// decoding with split keys. What bounds it is reading keys and values once, so all query heads of a group share a load.
//
// A context is cut into splits whose size follows from its length alone, so that a sequence's result does not
// depend on the sequences beside it. A block takes one split of one kv head for up to 8 query heads:
//
//   split          | 16 keys | 16 keys | 16 keys | 16 keys | 16 keys | ...
//   warp               0         1         2         3         0
//   ring of a warp  K V K | V K V | ...     each tile 16 rows of headDim, copied asynchronously RING tiles ahead
//
// Warps go on by themselves, each with its own largest score and sum (online softmax), and meet at the end.
// Tensor cores multiply 16 rows by 8 columns, so keys (then elements of values) are the rows and the group's
// queries the columns; missing queries are zeros, which cost nothing that memory would not:
//
//   scores  [16 keys][8 queries]      = K [16][headDim]     * Q^T [headDim][8]
//   sums    [headDim][8 queries]     += V^T [headDim][16]   * P^T [16][8]
//
// A context of one split is finished here. Otherwise a block leaves its sums, largest score and sum of weights
//
//   partials  [numSequences][numHeads][gridDim.x][headDim] f32
//   partial_stats [numSequences][numHeads][gridDim.x] {largest, sum}
//
// to merge_splits. Blocks beyond a context, or of a sequence with not exactly one token, end at once: a grid may be
// larger than a step needs, so that a captured graph serves shorter contexts. Where there are no keys (a sequence
// that pads a batch) the result is zeros.
//
// decode_attention  Grid: x = split, y = kv head * ceil(group / 8) + eight of the group, z = sequence.
//                   Block: 128 threads.
// merge_splits      Grid: x = head, y = sequence. Block: headDim threads. num_splits is gridDim.x of the other.
//
// With first_token from 0 on, z and y are tokens from that one on, and every token is taken by itself, as if it
// had come alone: partials are [tokens of the grid] in place of [numSequences]. That is slower for tokens that
// come together than prefill_attention, and gives the bits that the token gets in any other company.
//
// A cache of 8 bits has a scale for each key and value (fp8_cache.cuh). Scores are multiplied by the key's; the value's
// exponent is added to the score, so that weights are those of unscaled values, and taken from a weight again where
// weights are added up.
//
// Source: Dao et al., "Flash-Decoding for long-context inference" (2023); Milakov and Gimelshein,
// arXiv 1805.02867.

#pragma once

#include "fp8_attention.cuh"

constexpr int WARPS = 4;
constexpr int THREADS = WARPS * WARP;
constexpr int QUERIES = 8;

// Splits are multiples of SPLIT_KEYS, and at most MAX_SPLITS of them; AttentionKernels.java has the same.
constexpr int SPLIT_KEYS = 256;
constexpr int MAX_SPLITS = 64;

__device__ __forceinline__ int split_size(int context) {
  return SPLIT_KEYS * ((context + SPLIT_KEYS * MAX_SPLITS - 1) / (SPLIT_KEYS * MAX_SPLITS));
}

// The query of a block or, with no such token there, a context below zero.
struct Query {
  int sequence;
  int token;
  int context; // keys that it sees
};

__device__ __forceinline__ Query query_of(const int *query_starts, const int *context_lengths, int num_sequences,
                                          int first_token, int index) {
  const bool each = first_token >= 0;
  const int sequence = each ? find_sequence(query_starts, num_sequences, 1, first_token + index) : index;
  const int start = query_starts[sequence];
  const int next_start = query_starts[sequence + 1];
  const int token = each ? first_token + index : start;
  const int context = context_lengths[sequence] - (next_start - 1 - token);
  const bool exists = each ? token < next_start : next_start - start == 1;
  return {sequence, token, exists ? max(context, 0) : -1};
}

// Tiles of one warp's ring: as many as static shared memory has room for, in which a quarter of a kilobyte or
// more per thread is on its way at any time.
template <typename K, int HEAD_DIM> constexpr int RING = sizeof(K) == 1 ? (HEAD_DIM == 128 ? 5 : 8)
                                                                        : (HEAD_DIM == 128 ? 3 : 4);

// Behind them, a place for the scales of each one's rows.
constexpr int SCALES_BYTES = TILE_ROWS * SCALE_BYTES;

template <typename K, int HEAD_DIM> constexpr int TILES_BYTES = RING<K, HEAD_DIM> * Tile<HEAD_DIM, K>::BYTES;

constexpr int aligned(int num_bytes) { return (num_bytes + TILE_ALIGNMENT - 1) / TILE_ALIGNMENT * TILE_ALIGNMENT; }

template <typename K, int HEAD_DIM>
constexpr int RING_BYTES = TILES_BYTES<K, HEAD_DIM> +
                           (IS_SCALED<K> ? aligned(RING<K, HEAD_DIM> * SCALES_BYTES) : 0);

// Rows of a warp's sums for the other warps: a bank apart for every query pair.
template <int HEAD_DIM> constexpr int SUMS_STRIDE = HEAD_DIM + 4;

// The warp's stream of tiles: keys and values of 16 keys, then of those 64 further.
template <typename Step, typename K, int HEAD_DIM> struct TileStream {
  const Step &step;
  const KeyPlaces places;
  const int end;
  const uint32_t ring;
  uint32_t slot = 0;   // of the tile to be copied next
  int key;             // first key of that tile
  int row;             // of this lane's key there
  KeyPlace next;       // of this lane's key in the tile after it

  __device__ __forceinline__ TileStream(const Step &step, const KeyPlaces &places, int first, int end,
                                        uint32_t ring)
      : step(step), places(places), end(end), ring(ring), key(first) {
    const int lane = threadIdx.x % TILE_ROWS;
    const KeyPlace place = places(key + lane);
    next = places(key + WARPS * TILE_ROWS + lane);
    row = places.row(place);
  }

  // A group of copies for each tile, an empty one beyond the end.
  template <bool OF_VALUES> __device__ __forceinline__ void copy_next() {
    if (key < end) {
      Tile<HEAD_DIM, K>::template copy_keys<TILE_ROWS>(ring + slot * Tile<HEAD_DIM, K>::BYTES,
                                                       OF_VALUES ? step.values : step.keys, row, end - key);
      if constexpr (IS_SCALED<K> && !OF_VALUES) {
        copy_scales(ring + TILES_BYTES<K, HEAD_DIM> + slot * SCALES_BYTES, step.row_scales, row);
      }
    }
    commit_copies();
    slot = slot + 1 == RING<K, HEAD_DIM> ? 0 : slot + 1;
    if (OF_VALUES) {
      key += WARPS * TILE_ROWS;
      row = places.row(next);
      next = places(key + WARPS * TILE_ROWS + static_cast<int>(threadIdx.x % TILE_ROWS));
    }
  }
};

// What a lane holds of 16 scores by 8 queries, or of a weight per score: rows g and g + 8, queries 2t and 2t + 1.
// As a B operand the same values lie at rows 2t, 2t + 1 (then + 8) of query g: in one register each, in lanes
// 8t + g / 2 and 8t + 4 + g / 2, in the half that g's parity says.
template <typename T>
__device__ __forceinline__ void weights_as_operand(const float (&weights)[4], uint32_t (&operand)[2]) {
  const int lane = threadIdx.x % WARP;
  const int from = lane % 4 * 8 + lane / 8;
  const unsigned halves = lane / 4 % 2 == 0 ? 0x5410 : 0x7632;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const uint32_t pair = pack_pair(weights[2 * i], weights[2 * i + 1], T());
    const uint32_t first = __shfl_sync(ALL_LANES, pair, from);
    const uint32_t second = __shfl_sync(ALL_LANES, pair, from + 4);
    operand[i] = __byte_perm(first, second, halves);
  }
}

// The same over all lanes that share t.
__device__ __forceinline__ float max_over_rows(float value) {
#pragma unroll
  for (int lanes = 4; lanes < WARP; lanes *= 2) {
    value = fmaxf(value, __shfl_xor_sync(ALL_LANES, value, lanes));
  }
  return value;
}

__device__ __forceinline__ float sum_over_rows(float value) {
#pragma unroll
  for (int lanes = 4; lanes < WARP; lanes *= 2) {
    value += __shfl_xor_sync(ALL_LANES, value, lanes);
  }
  return value;
}

// What the scales of rows g and g + 8 of a tile do to scores and sums of weights: nothing, if there are none.
template <typename K> struct TileFactors {
  __device__ __forceinline__ explicit TileFactors(uint32_t) {}

  __device__ __forceinline__ float scaled(float score, float scale, int) const { return score * scale; }

  __device__ __forceinline__ float sum(float first, float second) const { return first + second; }
};

template <> struct TileFactors<e4m3> {
  RowFactors first;
  RowFactors second;

  __device__ __forceinline__ explicit TileFactors(uint32_t scales)
      : first(load_shared_word(scales + threadIdx.x % WARP / 4 * SCALE_BYTES)),
        second(load_shared_word(scales + (threadIdx.x % WARP / 4 + 8) * SCALE_BYTES)) {}

  __device__ __forceinline__ float scaled(float score, float scale, int row) const {
    const RowFactors &factors = row == 0 ? first : second;
    return fmaf(score, scale * factors.key, factors.value_exponent);
  }

  __device__ __forceinline__ float sum(float of_first, float of_second) const {
    return fmaf(of_first, first.value_inverse, of_second * second.value_inverse);
  }
};

// One warp's online softmax for queries 2t and 2t + 1. Scores are scaled to powers of two.
template <typename Q, typename K, int HEAD_DIM> struct Softmax {
  using Factors = TileFactors<K>;
  static constexpr int K_STEPS = HEAD_DIM / 16;
  uint32_t queries[K_STEPS][2];
  float sums[K_STEPS][4] = {}; // elements 16i + g and 16i + g + 8, or 16i + 2g and 16i + 2g + 1 where K is e4m3
  float largest[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0}; // of this lane's rows

  // Query g of the block's eight, zeros for those at or beyond `count`.
  __device__ __forceinline__ void load_queries(const Q *first_query, int count) {
    const int lane = threadIdx.x % WARP;
    if constexpr (IS_SCALED<K>) {
      const uint2 *quads = reinterpret_cast<const uint2 *>(first_query + lane / 4 * HEAD_DIM) + lane % 4;
#pragma unroll
      for (int i = 0; i < K_STEPS; i++) {
        const uint2 quad = lane / 4 < count ? quads[4 * i] : make_uint2(0, 0);
        queries[i][0] = quad.x;
        queries[i][1] = quad.y;
      }
    } else {
      const uint32_t *pairs = reinterpret_cast<const uint32_t *>(first_query + lane / 4 * HEAD_DIM) + lane % 4;
#pragma unroll
      for (int i = 0; i < K_STEPS; i++) {
        queries[i][0] = lane / 4 < count ? pairs[8 * i] : 0;
        queries[i][1] = lane / 4 < count ? pairs[8 * i + 4] : 0;
      }
    }
  }

  // Two chains of products, so that one does not wait for the other's last.
  __device__ __forceinline__ void scores_of(uint32_t tile, float (&scores)[4]) const {
    const RowsAsA<HEAD_DIM, K> rows(tile);
    float other[4] = {};
    for (int i = 0; i < 4; i++) {
      scores[i] = 0;
    }
#pragma unroll
    for (int i = 0; i < K_STEPS; i++) {
      uint32_t keys[4];
      rows.load(i, keys);
      multiply_add(i % 2 == 0 ? scores : other, keys, queries[i][0], queries[i][1], Q());
    }
    for (int i = 0; i < 4; i++) {
      scores[i] += other[i];
    }
  }

  // Scores become weights relative to the largest score so far; keys from `visible` on weigh nothing.
  __device__ __forceinline__ void weigh(float (&scores)[4], float scale, int visible, const Factors &factors) {
    const int lane = threadIdx.x % WARP;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      scores[i] = lane / 4 + i / 2 * 8 < visible ? factors.scaled(scores[i], scale, i / 2) : -INFINITY;
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const float next = fmaxf(largest[i], max_over_rows(fmaxf(scores[i], scores[i + 2])));
      const float shrink = fast_exp2(largest[i] - next);
      largest[i] = next;
      scores[i] = fast_exp2(scores[i] - next);
      scores[i + 2] = fast_exp2(scores[i + 2] - next);
      sum[i] = fmaf(sum[i], shrink, factors.sum(scores[i], scores[i + 2]));
#pragma unroll
      for (int j = 0; j < K_STEPS; j++) {
        sums[j][i] *= shrink;
        sums[j][i + 2] *= shrink;
      }
    }
  }

  __device__ __forceinline__ void add_values(uint32_t tile, const uint32_t (&weights)[2]) {
    const ColumnsAsA<HEAD_DIM, K> columns(tile);
#pragma unroll
    for (int i = 0; i < K_STEPS; i++) {
      uint32_t values[4];
      columns.load(i, values);
      multiply_add(sums[i], values, weights[0], weights[1], Q());
    }
  }
};

// Where the warps of a block meet, over the same memory as their rings.
template <int HEAD_DIM> struct Meeting {
  float sums[WARPS][QUERIES][SUMS_STRIDE<HEAD_DIM>];
  float largest[WARPS][QUERIES];
  float sum[WARPS][QUERIES];

  __device__ __forceinline__ float largest_of_all(int query) const {
    float of_all = largest[0][query];
    for (int warp = 1; warp < WARPS; warp++) {
      of_all = fmaxf(of_all, largest[warp][query]);
    }
    return of_all;
  }
};

template <typename K, int HEAD_DIM> union BlockMemory {
  uint8_t rings[WARPS][RING_BYTES<K, HEAD_DIM>];
  Meeting<HEAD_DIM> meeting;
};

// Brings the warp's sums to the block's largest scores and leaves them for all.
template <typename Q, typename K, int HEAD_DIM>
__device__ __forceinline__ void meet(Softmax<Q, K, HEAD_DIM> &softmax, Meeting<HEAD_DIM> &meeting) {
  const int warp = threadIdx.x / WARP;
  const int lane = threadIdx.x % WARP;
  const int query = lane % 4 * 2;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const float sum = sum_over_rows(softmax.sum[i]);
    if (lane < 4) {
      meeting.largest[warp][query + i] = softmax.largest[i];
      meeting.sum[warp][query + i] = sum;
    }
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 2; i++) {
    // A warp without keys has -infinity, and so shrinks to nothing; the first warp has keys.
    const float shrink = fast_exp2(softmax.largest[i] - meeting.largest_of_all(query + i));
#pragma unroll
    for (int j = 0; j < HEAD_DIM / 16; j++) {
      const int element = IS_SCALED<K> ? j * 16 + lane / 4 * 2 : j * 16 + lane / 4;
      meeting.sums[warp][query + i][element] = softmax.sums[j][i] * shrink;
      meeting.sums[warp][query + i][element + (IS_SCALED<K> ? 1 : 8)] = softmax.sums[j][i + 2] * shrink;
    }
  }
  __syncthreads();
}

// The heads of this block.
struct BlockHeads {
  int kv_head;
  int first;
  int count;

  template <typename Step> __device__ __forceinline__ explicit BlockHeads(const Step &step) {
    const int group = step.num_heads / step.num_kv_heads;
    const int eights = (group + QUERIES - 1) / QUERIES;
    const int first_of_group = blockIdx.y % eights * QUERIES;
    kv_head = blockIdx.y / eights;
    first = kv_head * group + first_of_group;
    count = min(QUERIES, group - first_of_group);
  }
};

// Adds up what the warps left, for the result of a context of one split or as a part of it.
template <typename T, typename Step, int HEAD_DIM>
__device__ __forceinline__ void leave(const Step &step, int token, const BlockHeads &heads, bool whole,
                                      const Meeting<HEAD_DIM> &meeting, float *partials, float2 *partial_stats) {
#pragma unroll 1
  for (int i = threadIdx.x; i < heads.count * HEAD_DIM; i += THREADS) {
    const int query = i / HEAD_DIM;
    const int element = i % HEAD_DIM;
    const float largest = meeting.largest_of_all(query);
    float result = 0;
    float sum = 0;
    for (int warp = 0; warp < WARPS; warp++) {
      result += meeting.sums[warp][query][element];
      sum = fmaf(meeting.sum[warp][query], fast_exp2(meeting.largest[warp][query] - largest), sum);
    }
    if (whole) {
      step.result(token, heads.first + query, HEAD_DIM)[element] = round_to<T>(result / sum);
    } else {
      const int64_t partial =
          (static_cast<int64_t>(blockIdx.z) * step.num_heads + heads.first + query) * gridDim.x + blockIdx.x;
      partials[partial * HEAD_DIM + element] = result;
      if (element == 0) {
        partial_stats[partial] = make_float2(largest, sum);
      }
    }
  }
}

template <int HEAD_DIM, typename Q, typename K, typename T>
__device__ __forceinline__ void decode_attention(const Step<Q, K, T> &step, float *partials, float2 *partial_stats,
                                                 int first_token) {
  using Tiles = Tile<HEAD_DIM, K>;
  constexpr int TILES = RING<K, HEAD_DIM>;
  __shared__ __align__(TILE_ALIGNMENT) BlockMemory<K, HEAD_DIM> memory;
  const Query query =
      query_of(step.query_starts, step.context_lengths, step.num_sequences, first_token, blockIdx.z);
  const int token = query.token;
  const int context = query.context;
  if (context < 0) {
    return;
  }
  const int size = split_size(context);
  const int first = blockIdx.x * size;
  const BlockHeads heads(step);
  if (first >= context) {
    if (context == 0 && blockIdx.x == 0) {
      T *to = step.result(token, heads.first, HEAD_DIM);
#pragma unroll 1
      for (int i = threadIdx.x; i < heads.count * HEAD_DIM; i += THREADS) {
        to[i] = round_to<T>(0);
      }
    }
    return;
  }
  const int end = min(first + size, context);
  const int warp = threadIdx.x / WARP;
  const uint32_t ring = shared_address(memory.rings[warp]);
  const int first_of_warp = first + warp * TILE_ROWS;
  Softmax<Q, K, HEAD_DIM> softmax;
  if (first_of_warp < end) {
    TileStream<Step<Q, K, T>, K, HEAD_DIM> stream(step, KeyPlaces(step, query.sequence, heads.kv_head, end),
                                                  first_of_warp, end, ring);
#pragma unroll
    for (int i = 0; i < TILES; i++) {
      if (i % 2 == 0) {
        stream.template copy_next<false>();
      } else {
        stream.template copy_next<true>();
      }
    }
    softmax.load_queries(step.query(token, heads.first, HEAD_DIM), heads.count);
    constexpr bool KEYS_AFTER_KEYS = TILES % 2 == 0;
    const float scale = step.scale * LOG2_E;
    uint32_t slot = 0;
#pragma unroll 1
    for (int key = first_of_warp; key < end; key += WARPS * TILE_ROWS) {
      // Lanes read what other lanes copied, and copy over what other lanes have read.
      await_copies<TILES - 1>();
      __syncwarp();
      float weights[4];
      softmax.scores_of(ring + slot * Tiles::BYTES, weights);
      const TileFactors<K> factors(ring + TILES_BYTES<K, HEAD_DIM> + slot * SCALES_BYTES);
      slot = slot + 1 == TILES ? 0 : slot + 1;
      __syncwarp();
      stream.template copy_next<!KEYS_AFTER_KEYS>();
      softmax.weigh(weights, scale, end - key, factors);
      uint32_t operand[2];
      weights_as_operand<Q>(weights, operand);
      await_copies<TILES - 1>();
      __syncwarp();
      softmax.add_values(ring + slot * Tiles::BYTES, operand);
      slot = slot + 1 == TILES ? 0 : slot + 1;
      __syncwarp();
      stream.template copy_next<KEYS_AFTER_KEYS>();
    }
    await_copies<0>();
  }
  __syncthreads();
  Meeting<HEAD_DIM> &meeting = memory.meeting;
  meet(softmax, meeting);

  leave<T>(step, token, heads, size >= context, meeting, partials, partial_stats);
}

template <typename T, int HEAD_DIM>
__device__ __forceinline__ void merge_splits(const float *partials, const float2 *partial_stats,
                                             const int *query_starts, const int *context_lengths, T *out,
                                             int num_splits, int num_sequences, int first_token) {
  const int head = blockIdx.x;
  const int num_heads = gridDim.x;
  const Query query = query_of(query_starts, context_lengths, num_sequences, first_token, blockIdx.y);
  const int context = query.context;
  const int size = split_size(context);
  if (size >= context) {
    return;
  }
  const int used = (context + size - 1) / size;
  const int64_t first = (static_cast<int64_t>(blockIdx.y) * num_heads + head) * num_splits;
  float largest = -INFINITY;
#pragma unroll 4
  for (int split = 0; split < used; split++) {
    largest = fmaxf(largest, partial_stats[first + split].x);
  }
  float result = 0;
  float sum = 0;
#pragma unroll 4
  for (int split = 0; split < used; split++) {
    const float2 stats = partial_stats[first + split];
    const float weight = fast_exp2(stats.x - largest);
    result = fmaf(partials[(first + split) * HEAD_DIM + threadIdx.x], weight, result);
    sum = fmaf(stats.y, weight, sum);
  }
  out[(static_cast<int64_t>(query.token) * num_heads + head) * HEAD_DIM + threadIdx.x] = round_to<T>(result / sum);
}
