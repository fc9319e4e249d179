// Widens GGUF blocks to bf16 or f32.
//
//   blocks [numBlocks] of one format -> out [numBlocks * values per block]
//
// A block starts at no useful alignment (blocks.cuh). 2,048 values are therefore staged as bytes: a tile of 64
// small blocks or 8 super-blocks is a multiple of 16 bytes in every format, is copied to shared memory by
// 16-byte loads, and is decoded from there, 8 neighbouring values a thread.
//
// blocks and out are 16-byte aligned. Grid: x = tile. Block: 256 threads.

#include "blocks.cuh"

constexpr int THREADS = 256;
constexpr int TILE_VALUES = THREADS * VECTOR;

template <typename Format, typename T>
__device__ __forceinline__ void dequantize(const uint8_t *__restrict__ blocks, T *__restrict__ out, int num_blocks) {
  constexpr int TILE_BLOCKS = TILE_VALUES / Format::VALUES;
  constexpr int TILE_BYTES = TILE_BLOCKS * Format::BYTES;
  static_assert(TILE_BYTES % sizeof(uint4) == 0, "tiles keep the alignment of the tensor");
  static_assert(TILE_BYTES / sizeof(uint4) <= THREADS, "one load a thread");
  __shared__ __align__(16) uint8_t tile[TILE_BYTES];

  const int64_t first_block = static_cast<int64_t>(blockIdx.x) * TILE_BLOCKS;
  const uint8_t *from = blocks + first_block * Format::BYTES;
  const int here = static_cast<int>(min(static_cast<int64_t>(TILE_BLOCKS), num_blocks - first_block));
  const int num_bytes = here * Format::BYTES;
  if (threadIdx.x < num_bytes / 16) {
    reinterpret_cast<uint4 *>(tile)[threadIdx.x] = reinterpret_cast<const uint4 *>(from)[threadIdx.x];
  }
  if (Format::BYTES % 16 != 0) {
    // The last tile of a tensor may end in a part of a vector; every block has an even number of bytes.
    const int rest = num_bytes / 16 * 16 + threadIdx.x * 2;
    if (rest < num_bytes) {
      *reinterpret_cast<uint16_t *>(tile + rest) = *reinterpret_cast<const uint16_t *>(from + rest);
    }
  }
  __syncthreads();

  const int at = threadIdx.x * VECTOR;
  if (at < here * Format::VALUES) {
    float x[VECTOR];
    Format::decode(tile + at / Format::VALUES * Format::BYTES, at % Format::VALUES, x);
    store_vector(out + first_block * Format::VALUES + at, x);
  }
}

#define KERNEL(NAME, FORMAT, TYPE, T)                                                                        \
  extern "C" __global__ void __launch_bounds__(THREADS) dequantize_##NAME##_##TYPE(                          \
      const uint8_t *blocks, T *out, int num_blocks) {                                                       \
    dequantize<FORMAT, T>(blocks, out, num_blocks);                                                          \
  }
#define KERNELS(NAME, FORMAT) KERNEL(NAME, FORMAT, bf16, bf16) KERNEL(NAME, FORMAT, f16, f16) KERNEL(NAME, FORMAT, f32, float)
KERNELS(q8_0, Q8_0)
KERNELS(q4_0, Q4_0)
KERNELS(q4_k, Q4_K)
KERNELS(q6_k, Q6_K)
