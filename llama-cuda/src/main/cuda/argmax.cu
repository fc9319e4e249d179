// The id of the largest logit of each row, in two stages: one block is too slow for the 128,256 logits of
// a single row.
//
//   argmax_partials  logits [numRows][vocabSize] f32 -> partials [numRows][grid.y] u64
//   argmax_combine   partials -> ids [numRows] i32
//
// A partial is a key whose order is the order of preference, so that a maximum of keys is all that is left:
//
//   | order of the logit, 32 bits | bitwise not of the id, 32 bits |
//
// larger logit first, then lower id. A row with a NaN or plus infinity has no softmax and gives -1, as does a
// row of minus infinities: the rules of core's Sampler.
//
// argmax_partials: grid x = row, y = run of RUN logits; block 256. argmax_combine: grid x = row; block 32.

#include "preference.cuh"

constexpr int THREADS = 256;
// Logits per block: 16 blocks for Llama 3's vocabulary, 8 loads of 16 bytes per thread.
constexpr int RUN = 8192;
constexpr int LOADS = 4;

extern "C" __global__ void __launch_bounds__(THREADS)
    argmax_partials(const float *__restrict__ logits, uint64_t *partials, int vocab_size) {
  const float *row = logits + static_cast<int64_t>(blockIdx.x) * vocab_size;
  const int start = blockIdx.y * RUN;
  const int end = min(vocab_size, start + RUN);
  uint64_t best = 0;
  if (vocab_size % 4 == 0) {
    for (int i = start; i < end; i += LOADS * THREADS * 4) {
      float4 loaded[LOADS];
#pragma unroll
      for (int k = 0; k < LOADS; k++) {
        const int at = i + (k * THREADS + threadIdx.x) * 4;
        const float none = -INFINITY;
        loaded[k] = at < end ? *reinterpret_cast<const float4 *>(row + at) : make_float4(none, none, none, none);
      }
#pragma unroll
      for (int k = 0; k < LOADS; k++) {
        const int id = i + (k * THREADS + threadIdx.x) * 4;
        best = max(best, key_of(loaded[k].x, id));
        best = max(best, key_of(loaded[k].y, id + 1));
        best = max(best, key_of(loaded[k].z, id + 2));
        best = max(best, key_of(loaded[k].w, id + 3));
      }
    }
  } else {
#pragma unroll 1
    for (int id = start + threadIdx.x; id < end; id += THREADS) {
      best = max(best, key_of(row[id], id));
    }
  }
  __shared__ uint64_t warps[THREADS / WARP];
  best = warp_max(best);
  if (threadIdx.x % WARP == 0) {
    warps[threadIdx.x / WARP] = best;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int warp = 1; warp < THREADS / WARP; warp++) {
      best = max(best, warps[warp]);
    }
    partials[static_cast<int64_t>(blockIdx.x) * gridDim.y + blockIdx.y] = best;
  }
}

extern "C" __global__ void __launch_bounds__(WARP)
    argmax_combine(const uint64_t *__restrict__ partials, int *ids, int num_partials) {
  const uint64_t *row = partials + static_cast<int64_t>(blockIdx.x) * num_partials;
  uint64_t best = 0;
#pragma unroll 1
  for (int i = threadIdx.x; i < num_partials; i += WARP) {
    best = max(best, row[i]);
  }
  best = warp_max(best);
  if (threadIdx.x == 0) {
    const uint32_t order = static_cast<uint32_t>(best >> 32);
    ids[blockIdx.x] = order == BROKEN || order <= MINUS_INFINITY ? -1 : static_cast<int>(~static_cast<uint32_t>(best));
  }
}
