// Attention of sequences that bring two tokens or more, over paged caches of 16 and 8 bits, head widths 64 and 128:
// causal flash attention over ragged queries, for prompts and for later chunks of prompts alike. Sequences of one token
// are left to decode_attention.cu.
//
// A block takes 128 queries of one head, 32 per warp, and goes through the keys that they see, 64 at a time:
//
//                   keys  | 64 | 64 | 64 | ...
//   warp 0   32 queries   |    |    |\.  |      scores [32][64] = Q K^T         in registers
//   warp 1   32 queries   |    |    | \  |      weights: 2^(scale * (score - largest so far))
//   warp 2   32 queries   |    |    |  \ |      sums [32][headDim] += weights V  in registers
//   warp 3   32 queries   |    |    |   \|
//
// 32 queries per warp, since keys and values read from shared memory then serve two products each: with 16 the
// reads would take as long as the products. While scores and weights are made, values are on their way; while sums
// are made, the next keys. Each warp copies 16 keys' rows of a tile.
//
//   shared memory (dynamic): | Q 8 tiles of 16 rows | K 4 tiles | V 4 tiles |   headDim 128: 64 KB, 64: 32 KB
//
// A cache of 8 bits takes half of that for K and V, and has 64 pairs of scales behind them: what they do to scores
// and weights is said in decode_attention.cuh.
//
// Grid: x = head, y = numTokens / 128 + numSequences tiles of queries (find_sequence), taken from the last, which
// see most keys. Heads that share keys are neighbours, for the second-level cache. Block: 128 threads.
//
// Source: Dao, arXiv 2307.08691 (FlashAttention-2).

#pragma once

#include "fp8_attention.cuh"

constexpr int WARPS = 4;
constexpr int THREADS = WARPS * WARP;
constexpr int BANDS = 2; // of 16 queries, per warp
constexpr int WARP_QUERIES = BANDS * TILE_ROWS;
constexpr int QUERIES = WARPS * WARP_QUERIES;
constexpr int KEYS = WARPS * TILE_ROWS;
constexpr int KEY_COLUMNS = KEYS / 8; // of mma's B and C

// Sums and scores of headDim 128 take 192 registers of 255; more addresses at a time would spill.
constexpr int COPY_UNROLL = 2;

// What a warp makes of its 32 queries. Of a C operand, a lane holds rows g and g + 8, columns 2t and 2t + 1.
template <typename Q, typename K, int HEAD_DIM> struct WarpQueries {
  static constexpr int K_STEPS = HEAD_DIM / 16;
  static constexpr int VALUE_COLUMNS = HEAD_DIM / 8;
  using QueryTiles = Tile<HEAD_DIM, Q>;
  using Tiles = Tile<HEAD_DIM, K>;

  // Widening takes registers too: with more than one step unrolled they do not suffice.
  static constexpr int STEPS_AT_ONCE = IS_SCALED<K> ? 1 : K_STEPS;

  float sums[BANDS][VALUE_COLUMNS][4] = {};
  float scores[BANDS][KEY_COLUMNS][4];
  float largest[BANDS][2];
  float sum[BANDS][2] = {};

  __device__ __forceinline__ WarpQueries() {
    for (int band = 0; band < BANDS; band++) {
      largest[band][0] = -INFINITY;
      largest[band][1] = -INFINITY;
    }
  }

  __device__ __forceinline__ void score(uint32_t queries, uint32_t keys) {
#pragma unroll
    for (int band = 0; band < BANDS; band++) {
#pragma unroll
      for (int column = 0; column < KEY_COLUMNS; column++) {
        for (int i = 0; i < 4; i++) {
          scores[band][column][i] = 0;
        }
      }
    }
    const RowsAsA<HEAD_DIM, Q> query_rows(queries);
    const RowsAsB<HEAD_DIM, K> key_rows(keys);
#pragma unroll STEPS_AT_ONCE
    for (int step = 0; step < K_STEPS; step++) {
      uint32_t a[BANDS][4];
#pragma unroll
      for (int band = 0; band < BANDS; band++) {
        query_rows.load(step, a[band], band * QueryTiles::BYTES);
      }
#pragma unroll
      for (int column = 0; column < KEY_COLUMNS; column += 2) {
        uint32_t b[4];
        key_rows.load(step, b, column / 2 * Tiles::BYTES);
#pragma unroll
        for (int band = 0; band < BANDS; band++) {
          multiply_add(scores[band][column], a[band], b[0], b[1], Q());
          multiply_add(scores[band][column + 1], a[band], b[2], b[3], Q());
        }
      }
    }
  }

  // The warp's first query sees the tile's first `visible` keys, each further one a key more.
  __device__ __forceinline__ void mask(int visible) {
    const int lane = threadIdx.x % WARP;
#pragma unroll
    for (int band = 0; band < BANDS; band++) {
#pragma unroll
      for (int column = 0; column < KEY_COLUMNS; column++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int query = band * TILE_ROWS + lane / 4 + i / 2 * 8;
          const int key = column * 8 + lane % 4 * 2 + i % 2;
          if (key >= visible + query) {
            scores[band][column][i] = -INFINITY;
          }
        }
      }
    }
  }

  // Scores become weights. Every query sees the first key of its sequence, so the largest score is finite from
  // the first tile on, and a tile that is masked as a whole weighs nothing.
  __device__ __forceinline__ void weigh(float scale) {
#pragma unroll
    for (int band = 0; band < BANDS; band++) {
#pragma unroll
      for (int row = 0; row < 2; row++) {
        float next = largest[band][row];
#pragma unroll
        for (int column = 0; column < KEY_COLUMNS; column++) {
          next = fmaxf(next, fmaxf(scores[band][column][2 * row], scores[band][column][2 * row + 1]));
        }
        next = fmaxf(next, __shfl_xor_sync(ALL_LANES, next, 1));
        next = fmaxf(next, __shfl_xor_sync(ALL_LANES, next, 2));
        const float shrink = fast_exp2((largest[band][row] - next) * scale);
        const float scaled = next * scale;
        largest[band][row] = next;
        float sum_of_tile = 0;
#pragma unroll
        for (int column = 0; column < KEY_COLUMNS; column++) {
#pragma unroll
          for (int i = 2 * row; i < 2 * row + 2; i++) {
            scores[band][column][i] = fast_exp2(fmaf(scores[band][column][i], scale, -scaled));
            sum_of_tile += scores[band][column][i];
          }
        }
        sum[band][row] = fmaf(sum[band][row], shrink, sum_of_tile);
#pragma unroll
        for (int column = 0; column < VALUE_COLUMNS; column++) {
          sums[band][column][2 * row] *= shrink;
          sums[band][column][2 * row + 1] *= shrink;
        }
      }
    }
  }

  // Two neighbouring columns of C are, packed, one A operand.
  __device__ __forceinline__ void add_values(uint32_t values) {
    const ColumnsAsB<HEAD_DIM, K> value_rows(values);
#pragma unroll
    for (int step = 0; step < KEYS / 16; step++) {
      uint32_t a[BANDS][4];
#pragma unroll
      for (int band = 0; band < BANDS; band++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const float(&pair)[4] = scores[band][2 * step + i / 2];
          a[band][i] = pack_pair(pair[i % 2 * 2], pair[i % 2 * 2 + 1], Q());
        }
      }
#pragma unroll
      for (int column = 0; column < VALUE_COLUMNS; column += 2) {
        uint32_t b[4];
        value_rows.load(column / 2, b, step * Tiles::BYTES);
#pragma unroll
        for (int band = 0; band < BANDS; band++) {
          multiply_add(sums[band][column], a[band], b[0], b[1], Q());
          multiply_add(sums[band][column + 1], a[band], b[2], b[3], Q());
        }
      }
    }
  }

  // The same with scales, of which a lane needs those of keys 8 * column + 2t and the one after it. Scores are brought
  // to powers of two at once, since each key has another factor.
  __device__ __forceinline__ void weigh(float scale, uint32_t scales) {
    const uint32_t of_lane = scales + threadIdx.x % 4 * 2 * SCALE_BYTES;
#pragma unroll
    for (int column = 0; column < KEY_COLUMNS; column++) {
#pragma unroll
      for (int key = 0; key < 2; key++) {
        const RowFactors factors(load_shared_word(of_lane + (column * 8 + key) * SCALE_BYTES));
        const float of_score = scale * factors.key;
#pragma unroll
        for (int band = 0; band < BANDS; band++) {
          scores[band][column][key] = fmaf(scores[band][column][key], of_score, factors.value_exponent);
          scores[band][column][key + 2] = fmaf(scores[band][column][key + 2], of_score, factors.value_exponent);
        }
      }
    }
    float sum_of_tile[BANDS][2] = {};
#pragma unroll
    for (int band = 0; band < BANDS; band++) {
#pragma unroll
      for (int row = 0; row < 2; row++) {
        float next = largest[band][row];
#pragma unroll
        for (int column = 0; column < KEY_COLUMNS; column++) {
          next = fmaxf(next, fmaxf(scores[band][column][2 * row], scores[band][column][2 * row + 1]));
        }
        next = fmaxf(next, __shfl_xor_sync(ALL_LANES, next, 1));
        next = fmaxf(next, __shfl_xor_sync(ALL_LANES, next, 2));
        const float shrink = fast_exp2(largest[band][row] - next);
        largest[band][row] = next;
        sum[band][row] *= shrink;
#pragma unroll
        for (int column = 0; column < VALUE_COLUMNS; column++) {
          sums[band][column][2 * row] *= shrink;
          sums[band][column][2 * row + 1] *= shrink;
        }
      }
    }
#pragma unroll
    for (int column = 0; column < KEY_COLUMNS; column++) {
#pragma unroll
      for (int key = 0; key < 2; key++) {
        const RowFactors factors(load_shared_word(of_lane + (column * 8 + key) * SCALE_BYTES));
#pragma unroll
        for (int band = 0; band < BANDS; band++) {
#pragma unroll
          for (int row = 0; row < 2; row++) {
            float &weight = scores[band][column][2 * row + key];
            weight = fast_exp2(weight - largest[band][row]);
            sum_of_tile[band][row] = fmaf(weight, factors.value_inverse, sum_of_tile[band][row]);
          }
        }
      }
    }
#pragma unroll
    for (int band = 0; band < BANDS; band++) {
      sum[band][0] += sum_of_tile[band][0];
      sum[band][1] += sum_of_tile[band][1];
    }
  }

  // Stores the queries before `count`, whose rows are `stride` elements apart.
  template <typename T> __device__ __forceinline__ void store(T *to, int stride, int count) {
    const int lane = threadIdx.x % WARP;
#pragma unroll
    for (int band = 0; band < BANDS; band++) {
#pragma unroll
      for (int row = 0; row < 2; row++) {
        float all = sum[band][row];
        all += __shfl_xor_sync(ALL_LANES, all, 1);
        all += __shfl_xor_sync(ALL_LANES, all, 2);
        const float inverse = 1 / all;
        const int query = band * TILE_ROWS + row * 8 + lane / 4;
        if (query < count) {
          T *out = to + static_cast<int64_t>(query) * stride;
          if constexpr (IS_SCALED<K>) {
            store_quads(out, sums[band], row, inverse);
          } else {
            uint32_t *pairs = reinterpret_cast<uint32_t *>(out) + lane % 4;
#pragma unroll
            for (int column = 0; column < VALUE_COLUMNS; column++) {
              pairs[column * 4] = pack_pair(sums[band][column][2 * row] * inverse,
                                            sums[band][column][2 * row + 1] * inverse, T());
            }
          }
        }
      }
    }
  }
};

// Starts the copy of the warp's queries, those from `count` on as zeros.
template <typename Q, int HEAD_DIM>
__device__ __forceinline__ void copy_queries(uint32_t tile, const Q *from, int64_t stride, int count) {
  using Tiles = Tile<HEAD_DIM, Q>;
  const int lane = threadIdx.x % WARP;
  const int chunk = lane % Tiles::CHUNKS;
#pragma unroll 4
  for (int pass = 0; pass < WARP_QUERIES / Tiles::ROWS_PER_PASS; pass++) {
    const int query = pass * Tiles::ROWS_PER_PASS + lane / Tiles::CHUNKS;
    const bool wanted = query < count;
    copy_chunk(Tiles::chunk_at(tile, query, chunk), from + (wanted ? query * stride : 0) + chunk * VECTOR, wanted);
  }
}

template <int HEAD_DIM, typename Q, typename K, typename T>
__device__ __forceinline__ void prefill_attention(const Step<Q, K, T> &step) {
  using QueryTiles = Tile<HEAD_DIM, Q>;
  using Tiles = Tile<HEAD_DIM, K>;
  extern __shared__ __align__(TILE_ALIGNMENT) uint8_t tiles[];
  const int warp = threadIdx.x / WARP;
  const uint32_t queries = shared_address(tiles) + warp * BANDS * QueryTiles::BYTES;
  const uint32_t keys = shared_address(tiles) + QUERIES * QueryTiles::ROW_BYTES;
  const uint32_t values = keys + KEYS * Tiles::ROW_BYTES;
  [[maybe_unused]] const uint32_t scales = values + KEYS * Tiles::ROW_BYTES;
  const uint32_t own = warp * Tiles::BYTES;

  const int head = blockIdx.x;
  const int tile = gridDim.y - 1 - blockIdx.y;
  const int sequence = find_sequence(step.query_starts, step.num_sequences, QUERIES, tile);
  const int start = step.query_starts[sequence];
  const int count = step.query_starts[sequence + 1] - start;
  const int context = step.context_lengths[sequence];
  const int first_query = (tile - first_tile(step.query_starts, sequence, QUERIES)) * QUERIES;
  if (count < 2 || first_query >= count || context < count) {
    return;
  }
  // Keys that the block's first query sees, and those that its last one does.
  const int visible = context - count + first_query + 1;
  const int end = min(visible + QUERIES - 1, context);
  const int visible_to_warp = visible + warp * WARP_QUERIES;
  const int first_of_warp = first_query + warp * WARP_QUERIES;
  const int count_of_warp = count - first_of_warp;

  // A warp without queries points at its sequence's last one, and reads nothing there.
  copy_queries<Q, HEAD_DIM>(queries, step.query(start + min(first_of_warp, count - 1), head, HEAD_DIM),
                            static_cast<int64_t>(step.num_heads) * HEAD_DIM, count_of_warp);
  const KeyPlaces places(step, sequence, head / (step.num_heads / step.num_kv_heads), end);
  int key_of_lane = warp * TILE_ROWS + threadIdx.x % TILE_ROWS;
  int row = places.row(places(key_of_lane));
  Tiles::template copy_keys<COPY_UNROLL>(keys + own, step.keys, row, end - warp * TILE_ROWS);
  commit_copies();
  if constexpr (IS_SCALED<K>) {
    await_copies<0>();
    __syncwarp();
    order_for_products<HEAD_DIM, WARP_QUERIES>(tiles + warp * BANDS * QueryTiles::BYTES);
  }

  WarpQueries<Q, K, HEAD_DIM> of_warp;
  const float scale = step.scale * LOG2_E;
#pragma unroll 1
  for (int first = 0; first < end; first += KEYS) {
    // The keys are there, and nobody needs the values before.
    await_copies<0>();
    __syncthreads();
    Tiles::template copy_keys<COPY_UNROLL>(values + own, step.values, row, end - first - warp * TILE_ROWS);
    if constexpr (IS_SCALED<K>) {
      copy_scales(scales + warp * TILE_ROWS * SCALE_BYTES, step.row_scales, row);
    }
    commit_copies();
    key_of_lane += KEYS;
    const KeyPlace next = places(key_of_lane);

    // Of the keys that the block sees last, a warp of early queries sees none.
    const bool sees = first < visible_to_warp + WARP_QUERIES - 1 && count_of_warp > 0;
    if (sees) {
      of_warp.score(queries, keys);
      if (first + KEYS > visible_to_warp) {
        of_warp.mask(visible_to_warp - first);
      }
    }
    // The values are there, and nobody needs the keys any more.
    await_copies<0>();
    __syncthreads();
    if (sees) {
      if constexpr (IS_SCALED<K>) {
        of_warp.weigh(scale, scales);
      } else {
        of_warp.weigh(scale);
      }
    }
    row = places.row(next);
    if (first + KEYS < end) {
      Tiles::template copy_keys<COPY_UNROLL>(keys + own, step.keys, row, end - first - KEYS - warp * TILE_ROWS);
    }
    commit_copies();
    if (sees) {
      of_warp.add_values(values);
    }
  }
  if (count_of_warp > 0) {
    of_warp.store(step.result(start + first_of_warp, head, HEAD_DIM), step.num_heads * HEAD_DIM, count_of_warp);
  }
}
