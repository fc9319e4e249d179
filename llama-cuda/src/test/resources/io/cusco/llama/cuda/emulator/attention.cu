// Kernels that exercise the emulator: flash attention for prefill (mma, ldmatrix, cp.async) and for
// decoding (split over keys, block table). Head dimension 64. Not the kernels of the engine.
// The .ptx beside: nvcc 13.0 -ptx -arch=compute_80, its .version line set to 7.0.
#include <cuda_bf16.h>

constexpr int kHeadDim = 64;
constexpr int kKeys = 32;                // keys per tile
constexpr int kStride = kHeadDim + 8;    // padded row of a tile
constexpr int kPageTokens = 16;

__device__ unsigned sharedAddress(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}

__device__ void copyAsync(void* to, const void* from, int sourceBytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(sharedAddress(to)),
               "l"(from), "r"(sourceBytes));
}

__device__ void loadMatrices(unsigned (&m)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(sharedAddress(row)));
}

__device__ void loadTransposed(unsigned (&m)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(sharedAddress(row)));
}

__device__ void multiply(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ unsigned pack(float low, float high) {
  __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<unsigned*>(&pair);
}

// q, k, v, out: [numTokens, numHeads, 64]; causal. 4 warps of 16 queries each.
extern "C" __global__ void __launch_bounds__(128)
    attention_prefill(const __nv_bfloat16* q, const __nv_bfloat16* k, const __nv_bfloat16* v,
                      __nv_bfloat16* out, int numTokens, int numHeads, float scale) {
  __shared__ __align__(16) __nv_bfloat16 queries[64 * kStride];
  __shared__ __align__(16) __nv_bfloat16 keys[2][kKeys * kStride];
  __shared__ __align__(16) __nv_bfloat16 values[2][kKeys * kStride];
  const int first = blockIdx.x * 64;
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int group = lane / 4;
  const int pair = 2 * (lane % 4);
  const size_t stride = static_cast<size_t>(numHeads) * kHeadDim;
  const size_t head = blockIdx.y * kHeadDim;

  for (int i = threadIdx.x; i < 64 * 8; i += 128) {
    int row = i / 8, column = i % 8 * 8;
    int token = min(first + row, numTokens - 1);
    copyAsync(&queries[row * kStride + column], q + token * stride + head + column,
              first + row < numTokens ? 16 : 0);
  }
  auto load = [&](int tile) {
    for (int i = threadIdx.x; i < kKeys * 8; i += 128) {
      int row = i / 8, column = i % 8 * 8;
      int token = min(tile * kKeys + row, numTokens - 1);
      size_t from = token * stride + head + column;
      int bytes = tile * kKeys + row < numTokens ? 16 : 0;
      copyAsync(&keys[tile & 1][row * kStride + column], k + from, bytes);
      copyAsync(&values[tile & 1][row * kStride + column], v + from, bytes);
    }
    asm volatile("cp.async.commit_group;\n");
  };

  const int tiles = (min(first + 64, numTokens) + kKeys - 1) / kKeys;
  const int rows[2] = {first + warp * 16 + group, first + warp * 16 + group + 8};
  unsigned a[4][4];
  float sum[8][4] = {};
  float highest[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};
  load(0);
  for (int tile = 0; tile < tiles; tile++) {
    if (tile + 1 < tiles) {
      load(tile + 1);
      asm volatile("cp.async.wait_group 1;\n");
    } else {
      asm volatile("cp.async.wait_group 0;\n");
    }
    __syncthreads();
    if (tile == 0) {
      for (int d = 0; d < 4; d++) {
        loadMatrices(a[d], &queries[(warp * 16 + lane % 16) * kStride + d * 16 + 8 * (lane / 16)]);
      }
    }
    float score[4][4] = {};
    for (int d = 0; d < 4; d++) {
      for (int n = 0; n < 2; n++) {
        unsigned b[4];
        int row = n * 16 + lane % 8 + 8 * (lane / 16);
        loadMatrices(b, &keys[tile & 1][row * kStride + d * 16 + 8 * (lane / 8 % 2)]);
        multiply(score[2 * n], a[d], b[0], b[1]);
        multiply(score[2 * n + 1], a[d], b[2], b[3]);
      }
    }
    for (int half = 0; half < 2; half++) {
      float top = highest[half];
      for (int n = 0; n < 4; n++) {
        for (int j = 0; j < 2; j++) {
          int key = tile * kKeys + n * 8 + pair + j;
          float& s = score[n][2 * half + j];
          s = key <= rows[half] && key < numTokens ? s * scale : -INFINITY;
          top = fmaxf(top, s);
        }
      }
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
      float factor = top == -INFINITY ? 1 : __expf(highest[half] - top);
      float part = 0;
      for (int n = 0; n < 4; n++) {
        for (int j = 0; j < 2; j++) {
          float& s = score[n][2 * half + j];
          s = top == -INFINITY ? 0 : __expf(s - top);
          part += s;
        }
      }
      part += __shfl_xor_sync(~0u, part, 1);
      part += __shfl_xor_sync(~0u, part, 2);
      highest[half] = top;
      total[half] = total[half] * factor + part;
      for (int n = 0; n < 8; n++) {
        sum[n][2 * half] *= factor;
        sum[n][2 * half + 1] *= factor;
      }
    }
    for (int kk = 0; kk < 2; kk++) {
      unsigned p[4] = {pack(score[2 * kk][0], score[2 * kk][1]),
                       pack(score[2 * kk][2], score[2 * kk][3]),
                       pack(score[2 * kk + 1][0], score[2 * kk + 1][1]),
                       pack(score[2 * kk + 1][2], score[2 * kk + 1][3])};
      for (int n = 0; n < 4; n++) {
        unsigned b[4];
        int row = kk * 16 + lane % 16;
        loadTransposed(b, &values[tile & 1][row * kStride + n * 16 + 8 * (lane / 16)]);
        multiply(sum[2 * n], p, b[0], b[1]);
        multiply(sum[2 * n + 1], p, b[2], b[3]);
      }
    }
    __syncthreads();
  }
  for (int half = 0; half < 2; half++) {
    if (rows[half] < numTokens) {
      for (int n = 0; n < 8; n++) {
        unsigned value = pack(sum[n][2 * half] / total[half], sum[n][2 * half + 1] / total[half]);
        *reinterpret_cast<unsigned*>(out + rows[half] * stride + head + n * 8 + pair) = value;
      }
    }
  }
}

// One block per sequence, key/value head (with 2 query heads) and split of the keys.
// q: [numSequences, numHeads, 64], pools: [numPages, 16, numHeads / 2, 64].
extern "C" __global__ void __launch_bounds__(128)
    attention_decode(const __nv_bfloat16* q, const __nv_bfloat16* keyPool,
                     const __nv_bfloat16* valuePool, const int* blockTable, const int* lengths,
                     float* partial, float2* partialWeight, int pagesPerSequence, int numHeads,
                     float scale) {
  __shared__ float sums[4][2][kHeadDim];
  __shared__ float2 weights[4][2];
  const int sequence = blockIdx.x, numSplits = gridDim.z, numKeyHeads = numHeads / 2;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int length = lengths[sequence];
  const int perSplit = (length + numSplits - 1) / numSplits;
  const int end = min(length, static_cast<int>(blockIdx.z + 1) * perSplit);
  float2 query[2], sum[2];
  float highest[2], total[2];
  for (int i = 0; i < 2; i++) {
    size_t row = static_cast<size_t>(sequence) * numHeads + blockIdx.y * 2 + i;
    query[i] = __bfloat1622float2(
        *reinterpret_cast<const __nv_bfloat162*>(q + row * kHeadDim + 2 * lane));
    sum[i] = make_float2(0, 0);
    highest[i] = -INFINITY;
    total[i] = 0;
  }
  for (int token = blockIdx.z * perSplit + warp; token < end; token += 4) {
    size_t page = blockTable[sequence * pagesPerSequence + token / kPageTokens];
    size_t at = ((page * kPageTokens + token % kPageTokens) * numKeyHeads + blockIdx.y) * kHeadDim;
    float2 key = __bfloat1622float2(
        *reinterpret_cast<const __nv_bfloat162*>(keyPool + at + 2 * lane));
    float2 value = __bfloat1622float2(
        *reinterpret_cast<const __nv_bfloat162*>(valuePool + at + 2 * lane));
    for (int i = 0; i < 2; i++) {
      float score = query[i].x * key.x + query[i].y * key.y;
      for (int offset = 16; offset > 0; offset /= 2) {
        score += __shfl_xor_sync(~0u, score, offset);
      }
      float top = fmaxf(highest[i], score * scale);
      float factor = __expf(highest[i] - top), weight = __expf(score * scale - top);
      highest[i] = top;
      total[i] = total[i] * factor + weight;
      sum[i].x = sum[i].x * factor + weight * value.x;
      sum[i].y = sum[i].y * factor + weight * value.y;
    }
  }
  for (int i = 0; i < 2; i++) {
    sums[warp][i][2 * lane] = sum[i].x;
    sums[warp][i][2 * lane + 1] = sum[i].y;
    if (lane == 0) {
      weights[warp][i] = make_float2(highest[i], total[i]);
    }
  }
  __syncthreads();
  const int i = threadIdx.x / kHeadDim, d = threadIdx.x % kHeadDim;
  float top = -INFINITY, weight = 0, value = 0;
  for (int w = 0; w < 4; w++) {
    top = fmaxf(top, weights[w][i].x);
  }
  for (int w = 0; w < 4; w++) {
    float factor = top == -INFINITY ? 0 : __expf(weights[w][i].x - top);
    weight += factor * weights[w][i].y;
    value += factor * sums[w][i][d];
  }
  size_t row = (static_cast<size_t>(sequence) * numHeads + blockIdx.y * 2 + i) * numSplits;
  partial[(row + blockIdx.z) * kHeadDim + d] = value;
  if (d == 0) {
    partialWeight[row + blockIdx.z] = make_float2(top, weight);
  }
}

// One block per sequence and head.
extern "C" __global__ void __launch_bounds__(64)
    attention_merge(const float* partial, const float2* partialWeight, __nv_bfloat16* out,
                    int numSplits) {
  const size_t row = blockIdx.x;
  float top = -INFINITY, weight = 0, value = 0;
  for (int i = 0; i < numSplits; i++) {
    top = fmaxf(top, partialWeight[row * numSplits + i].x);
  }
  for (int i = 0; i < numSplits; i++) {
    float factor = __expf(partialWeight[row * numSplits + i].x - top);
    weight += factor * partialWeight[row * numSplits + i].y;
    value += factor * partial[(row * numSplits + i) * kHeadDim + threadIdx.x];
  }
  out[row * kHeadDim + threadIdx.x] = __float2bfloat16(value / weight);
}
