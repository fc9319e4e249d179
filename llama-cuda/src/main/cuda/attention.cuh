// What the attention kernels share: the step they work on, where a key lies in the paged cache, and tiles of
// keys, values and queries in shared memory for the tensor cores.
//
// A step is ragged. Sequence s brings the tokens queryStarts[s] .. queryStarts[s + 1] - 1 and sees
// contextLengths[s] keys with its last one; each token sees one key more than the token before it:
//
//                 keys  0 1 2 3 4 5 6      contextLength 7, 3 tokens, 4 keys from earlier steps
//   token 0             x x x x x . .
//   token 1             x x x x x x .
//   token 2             x x x x x x x
//
// Its key k is slot k % blockSize of block blockTables[s][k / blockSize] of a pool laid out
// [block][kv head][slot][headDim] (rope_and_store_kv.cuh). Slots beyond a context are never read, nor are the
// entries of a block table beyond it.
//
// The layouts of fragments named below are those of PTX ISA, "Matrix Fragments for mma.m16n8k16" and
// "ldmatrix"; g = lane / 4, t = lane % 4.
#pragma once

#include "fp8_cache.cuh"
#include "values.cuh"

constexpr unsigned ALL_LANES = 0xFFFFFFFFu;
constexpr float LOG2_E = 1.44269504f;

// Rows of a tile that one warp copies at a time, and the k extent of one mma.
constexpr int TILE_ROWS = 16;

constexpr int CHUNK_BYTES = 16;

// Bytes of the longest row of a tile.
constexpr int TILE_ALIGNMENT = 256;

// Queries of type Q, keys and values of K, results of T: one type, but where a cache is of 8 bits, which widen to
// f16 (fp8_cache.cuh).
template <typename Q, typename K = Q, typename T = Q> struct Step {
  const Q *queries;          // [numTokens][numHeads * headDim], turned
  const K *keys;             // one layer's pool
  const K *values;           // the same
  const int *query_starts;   // [numSequences + 1]
  const int *context_lengths; // [numSequences]
  const int *block_tables;   // [numSequences][block_table_stride]
  T *out;                    // [numTokens][numHeads * headDim]
  int num_sequences;
  int block_table_stride;
  int block_size;
  int num_heads;
  int num_kv_heads;
  float scale;                // of a query's product with a key
  RowScales<K> row_scales;    // one layer's

  __device__ __forceinline__ const Q *query(int token, int head, int head_dim) const {
    return queries + (static_cast<int64_t>(token) * num_heads + head) * head_dim;
  }

  __device__ __forceinline__ T *result(int token, int head, int head_dim) const {
    return out + (static_cast<int64_t>(token) * num_heads + head) * head_dim;
  }
};

#define STEP_PARAMETERS(Q, K, T)                                                                             \
  const Q *queries, const K *keys, const K *values, const int *query_starts, const int *context_lengths,     \
      const int *block_tables, T *out, int num_sequences, int block_table_stride, int block_size,            \
      int num_heads, int num_kv_heads, float scale

#define STEP_OF(Q, K, T, ...)                                                                                \
  Step<Q, K, T> {                                                                                            \
    queries, keys, values, query_starts, context_lengths, block_tables, out, num_sequences,                  \
        block_table_stride, block_size, num_heads, num_kv_heads, scale, {__VA_ARGS__}                        \
  }

// The sequence whose tiles of `tile` tokens begin at or before `index` in a list where sequence s begins at
// queryStarts[s] / tile + s: no two sequences share a tile there, and a sequence has at least as many places
// as tiles, so that a grid of numTokens / tile + numSequences covers every step. For single tokens the list
// is the tokens themselves. All lanes of a warp call this; the last sequence is found for all that follows it.
__device__ __forceinline__ int first_tile(const int *query_starts, int sequence, int tile) {
  return tile == 1 ? query_starts[sequence] : query_starts[sequence] / tile + sequence;
}

__device__ __forceinline__ int find_sequence(const int *query_starts, int num_sequences, int tile, int index) {
  const int lane = threadIdx.x % WARP;
  int found = -1;
#pragma unroll 1
  for (int from = 0; from < num_sequences; from += WARP) {
    const int sequence = from + lane;
    const bool begun = sequence < num_sequences && first_tile(query_starts, sequence, tile) <= index;
    found += __popc(__ballot_sync(ALL_LANES, begun));
  }
  return found;
}

// Rows (of headDim elements) of a pool that hold one kv head's keys of one sequence. The entry of a block
// table is asked for early and used late, so that nobody waits for it.
struct KeyPlace {
  int block;
  int slot;
};

struct KeyPlaces {
  const int *block_table;
  int block_size;
  int num_kv_heads;
  int kv_head;
  int last;

  // Keys at or beyond `end` get the place of the last key before it, which is safe to point at.
  template <typename Step>
  __device__ __forceinline__ KeyPlaces(const Step &step, int sequence, int head, int end)
      : block_table(step.block_tables + static_cast<int64_t>(sequence) * step.block_table_stride),
        block_size(step.block_size), num_kv_heads(step.num_kv_heads), kv_head(head), last(end - 1) {}

  __device__ __forceinline__ KeyPlace operator()(int key) const {
    const unsigned inside = min(key, last);
    const unsigned entry = inside / static_cast<unsigned>(block_size);
    return {block_table[entry], static_cast<int>(inside - entry * block_size)};
  }

  // An int has room for the rows of 256 GB of one layer's keys.
  __device__ __forceinline__ int row(KeyPlace place) const {
    return (place.block * num_kv_heads + kv_head) * block_size + place.slot;
  }
};

__device__ __forceinline__ uint32_t shared_address(const void *pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// 4 bytes, asynchronously.
__device__ __forceinline__ void copy_word(uint32_t to, const void *from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(__cvta_generic_to_global(from)) : "memory");
}

// 16 bytes, asynchronously; 16 zeros if not wanted.
__device__ __forceinline__ void copy_chunk(uint32_t to, const void *from, bool wanted) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to),
               "l"(__cvta_generic_to_global(from)), "r"(wanted ? CHUNK_BYTES : 0)
               : "memory");
}

__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits for all but the newest groups of this thread's copies.
template <int NEWEST> __device__ __forceinline__ void await_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(NEWEST) : "memory");
}

// Tiles in shared memory: rows of HEAD_DIM elements of 16 bits or 8, whose 16-byte chunk c lies at c ^ (row % 8),
// so that the eight rows an ldmatrix reads at one time lie in different banks; at c ^ (row / 2 % 4) where two rows
// are 128 bytes. Tiles start at a multiple of a row's bytes, so that its chunks are found by exclusive or.
template <int HEAD_DIM, typename E> struct Tile {
  static constexpr int ROW_BYTES = HEAD_DIM * sizeof(E);
  static constexpr int CHUNKS = ROW_BYTES / CHUNK_BYTES;
  static constexpr int CHUNK_ELEMENTS = CHUNK_BYTES / sizeof(E);
  static constexpr int ROWS_OF_BANKS = CHUNKS < 8 ? 8 / CHUNKS : 1;
  static constexpr int PLACES = CHUNKS < 8 ? CHUNKS : 8;
  static constexpr int ROWS_PER_PASS = WARP / CHUNKS;
  static constexpr int BYTES = TILE_ROWS * ROW_BYTES;
  static_assert(TILE_ALIGNMENT % ROW_BYTES == 0, "every tile starts at a multiple of its rows' bytes");
  static_assert(CHUNKS >= 4 && WARP % CHUNKS == 0, "a warp copies whole rows, two of them at least over all banks");

  __device__ __forceinline__ static uint32_t chunk_at(uint32_t tile, int row, int chunk) {
    return tile + row * ROW_BYTES + ((chunk ^ row / ROWS_OF_BANKS % PLACES) * CHUNK_BYTES);
  }

  // Starts the copy of 16 rows of a pool by one warp: lane i < 16 knows the row of key i. Keys from `visible`
  // on become zeros and are not read. UNROLL copies have their addresses in registers at a time.
  template <int UNROLL>
  __device__ __forceinline__ static void copy_keys(uint32_t tile, const E *pool, int row_of_lane, int visible) {
    const int lane = threadIdx.x % WARP;
    const int chunk = lane % CHUNKS;
#pragma unroll UNROLL
    for (int pass = 0; pass < TILE_ROWS / ROWS_PER_PASS; pass++) {
      const int key = pass * ROWS_PER_PASS + lane / CHUNKS;
      const int64_t row = __shfl_sync(ALL_LANES, row_of_lane, key);
      copy_chunk(chunk_at(tile, key, chunk), pool + row * HEAD_DIM + chunk * CHUNK_ELEMENTS, key < visible);
    }
  }

  // Address of this lane's row of an ldmatrix.x4 at the tile's first columns. The same row's chunk 2 * k
  // further is at (address ^ k * 2 * CHUNK_BYTES).
  //
  // matrices: rows 0..7 and 8..15 of the first chunk, then of the second. As they are, an A operand of 16 rows;
  // transposed, a B operand whose k is the rows and whose n are the columns.
  __device__ __forceinline__ static uint32_t rows_first(uint32_t tile) {
    const int lane = threadIdx.x % WARP;
    return chunk_at(tile, lane % 16, lane / 16);
  }

  // matrices: first and second chunk of rows 0..7, then of rows 8..15. As they are, a B operand whose n is the
  // rows and whose k are the columns; transposed, an A operand whose rows are the columns.
  __device__ __forceinline__ static uint32_t chunks_first(uint32_t tile) {
    const int lane = threadIdx.x % WARP;
    return chunk_at(tile, lane % 8 + lane / 16 * 8, lane / 8 % 2);
  }
};

__device__ __forceinline__ void load_matrices(uint32_t from, uint32_t (&to)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}

__device__ __forceinline__ void load_matrices_transposed(uint32_t from, uint32_t (&to)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}

// Operands of mma from 16 rows of a tile of 16-bit elements, or of the tile `offset` bytes further: elements
// 16 * step to 16 * step + 15 of each row. A reader holds one lane's address. Those of e4m3 are in fp8_attention.cuh.
//
//   RowsAsA     16 rows by 16 elements
//   ColumnsAsA  16 elements by 16 rows
//   RowsAsB     twice 16 elements by 8 rows: rows 0..7, and 8..15
//   ColumnsAsB  twice 16 rows by 8 elements: the first eight, and the second
template <int HEAD_DIM, typename E> struct RowsAsA {
  uint32_t place;
  __device__ __forceinline__ explicit RowsAsA(uint32_t tile) : place(Tile<HEAD_DIM, E>::rows_first(tile)) {}
  __device__ __forceinline__ void load(int step, uint32_t (&a)[4], int offset = 0) const {
    load_matrices((place ^ step * 2 * CHUNK_BYTES) + offset, a);
  }
};

template <int HEAD_DIM, typename E> struct ColumnsAsA {
  uint32_t place;
  __device__ __forceinline__ explicit ColumnsAsA(uint32_t tile) : place(Tile<HEAD_DIM, E>::chunks_first(tile)) {}
  __device__ __forceinline__ void load(int step, uint32_t (&a)[4]) const {
    load_matrices_transposed(place ^ step * 2 * CHUNK_BYTES, a);
  }
};

template <int HEAD_DIM, typename E> struct RowsAsB {
  uint32_t place;
  __device__ __forceinline__ explicit RowsAsB(uint32_t tile) : place(Tile<HEAD_DIM, E>::chunks_first(tile)) {}
  __device__ __forceinline__ void load(int step, uint32_t (&b)[4], int offset) const {
    load_matrices((place ^ step * 2 * CHUNK_BYTES) + offset, b);
  }
};

template <int HEAD_DIM, typename E> struct ColumnsAsB {
  uint32_t place;
  __device__ __forceinline__ explicit ColumnsAsB(uint32_t tile) : place(Tile<HEAD_DIM, E>::rows_first(tile)) {}
  __device__ __forceinline__ void load(int step, uint32_t (&b)[4], int offset) const {
    load_matrices_transposed((place ^ step * 2 * CHUNK_BYTES) + offset, b);
  }
};

// sum += a * b: 16 x 16 times 16 x 8.
__device__ __forceinline__ void multiply_add(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                             bf16) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
               "{%8, %9}, {%0, %1, %2, %3};"
               : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ void multiply_add(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                             f16) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
               "{%8, %9}, {%0, %1, %2, %3};"
               : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// 2^x in one instruction. Weights below the smallest normal float are nothing beside the largest, which is 1,
// so flushing them is no loss; keeping them would take three instructions more per score.
__device__ __forceinline__ float fast_exp2(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
}
