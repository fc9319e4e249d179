// Operands of mma from tiles of e4m3, widened to f16. An ldmatrix moves pairs of bytes, so that a 16-byte chunk is 16
// elements, of which a lane gets neighbours:
//
//   as it is      row g, elements 4t .. 4t + 3
//   transposed    rows 2t and 2t + 1, elements 2g and 2g + 1
//
// Where elements are what a product adds up, their order is free as long as both operands have the same. Here a lane
// has its elements 4t and 4t + 1 where mma takes them for 2t and 2t + 1, and 4t + 2 and 4t + 3 for 2t + 8 and 2t + 9:
// of 16 elements the pairs 0, 2, 4, 6 come first, then 1, 3, 5, 7. Where elements are rows or columns of the result,
// evens come first, then odds.
#pragma once

#include "attention.cuh"
#include "fp8_cache.cuh"

__device__ __forceinline__ void load_two_matrices(uint32_t from, uint32_t (&to)[2]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(to[0]), "=r"(to[1])
               : "r"(from)
               : "memory");
}

// Each register's four bytes, of two rows and two elements, are brought from row by row to element by element.
__device__ __forceinline__ void load_two_transposed(uint32_t from, uint32_t (&to)[2]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(to[0]), "=r"(to[1])
               : "r"(from)
               : "memory");
  to[0] = __byte_perm(to[0], 0, 0x3120);
  to[1] = __byte_perm(to[1], 0, 0x3120);
}

template <int HEAD_DIM> struct RowsAsA<HEAD_DIM, e4m3> {
  uint32_t place;
  __device__ __forceinline__ explicit RowsAsA(uint32_t tile) : place(Tile<HEAD_DIM, e4m3>::rows_first(tile)) {}
  __device__ __forceinline__ void load(int step, uint32_t (&a)[4]) const {
    uint32_t quads[2];
    load_two_matrices(place ^ step * CHUNK_BYTES, quads);
    a[0] = widen_pair(quads[0]);
    a[1] = widen_pair(quads[1]);
    a[2] = widen_pair(quads[0] >> 16);
    a[3] = widen_pair(quads[1] >> 16);
  }
};

template <int HEAD_DIM> struct ColumnsAsA<HEAD_DIM, e4m3> {
  uint32_t place;
  __device__ __forceinline__ explicit ColumnsAsA(uint32_t tile) : place(Tile<HEAD_DIM, e4m3>::rows_first(tile)) {}
  __device__ __forceinline__ void load(int step, uint32_t (&a)[4]) const {
    uint32_t squares[2];
    load_two_transposed(place ^ step * CHUNK_BYTES, squares);
    a[0] = widen_pair(squares[0]);
    a[1] = widen_pair(squares[0] >> 16);
    a[2] = widen_pair(squares[1]);
    a[3] = widen_pair(squares[1] >> 16);
  }
};

template <int HEAD_DIM> struct RowsAsB<HEAD_DIM, e4m3> {
  uint32_t place;
  __device__ __forceinline__ explicit RowsAsB(uint32_t tile) : place(Tile<HEAD_DIM, e4m3>::rows_first(tile)) {}
  __device__ __forceinline__ void load(int step, uint32_t (&b)[4], int offset) const {
    uint32_t quads[2];
    load_two_matrices((place ^ step * CHUNK_BYTES) + offset, quads);
    b[0] = widen_pair(quads[0]);
    b[1] = widen_pair(quads[0] >> 16);
    b[2] = widen_pair(quads[1]);
    b[3] = widen_pair(quads[1] >> 16);
  }
};

template <int HEAD_DIM> struct ColumnsAsB<HEAD_DIM, e4m3> {
  uint32_t place;
  __device__ __forceinline__ explicit ColumnsAsB(uint32_t tile) : place(Tile<HEAD_DIM, e4m3>::rows_first(tile)) {}
  __device__ __forceinline__ void load(int step, uint32_t (&b)[4], int offset) const {
    uint32_t squares[2];
    load_two_transposed((place ^ step * CHUNK_BYTES) + offset, squares);
    b[0] = widen_pair(squares[0]);
    b[1] = widen_pair(squares[1]);
    b[2] = widen_pair(squares[0] >> 16);
    b[3] = widen_pair(squares[1] >> 16);
  }
};

__device__ __forceinline__ uint32_t load_shared_word(uint32_t from) {
  uint32_t word;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(word) : "r"(from) : "memory");
  return word;
}

// The copy of the scales of 16 rows by one warp: lane i < 16 knows the row of key i, which exists.
__device__ __forceinline__ void copy_scales(uint32_t to, RowScales<e4m3> scales, int row_of_lane) {
  const int lane = threadIdx.x % WARP;
  if (lane < TILE_ROWS) {
    copy_word(to + lane * SCALE_BYTES, scales.pairs + row_of_lane);
  }
}

// Brings a warp's tiles of f16, which begin at a multiple of TILE_ALIGNMENT, to the order of elements of RowsAsB.
template <int HEAD_DIM, int ROWS> __device__ __forceinline__ void order_for_products(uint8_t *tiles) {
  using Tiles = Tile<HEAD_DIM, f16>;
  constexpr int PAIRS = Tiles::CHUNKS / 2;
  const int lane = threadIdx.x % WARP;
  const int pair = lane % PAIRS;
#pragma unroll 2
  for (int row = lane / PAIRS; row < ROWS; row += WARP / PAIRS) {
    uint4 &first = *reinterpret_cast<uint4 *>(tiles + Tiles::chunk_at(0, row, 2 * pair));
    uint4 &second = *reinterpret_cast<uint4 *>(tiles + Tiles::chunk_at(0, row, 2 * pair + 1));
    const uint4 a = first;
    const uint4 b = second;
    first = make_uint4(a.x, a.z, b.x, b.z);
    second = make_uint4(a.y, a.w, b.y, b.w);
  }
  __syncwarp();
}

// Stores rows g or g + 8 of sums whose columns ColumnsAsB made: a lane has elements 4t .. 4t + 3 of every 16.
template <int COLUMNS, typename T>
__device__ __forceinline__ void store_quads(T *to, const float (&sums)[COLUMNS][4], int row, float factor) {
  uint2 *quads = reinterpret_cast<uint2 *>(to) + threadIdx.x % 4;
#pragma unroll
  for (int column = 0; column < COLUMNS; column += 2) {
    const float(&evens)[4] = sums[column];
    const float(&odds)[4] = sums[column + 1];
    quads[column * 2] = make_uint2(pack_pair(evens[2 * row] * factor, odds[2 * row] * factor, T()),
                                   pack_pair(evens[2 * row + 1] * factor, odds[2 * row + 1] * factor, T()));
  }
}
