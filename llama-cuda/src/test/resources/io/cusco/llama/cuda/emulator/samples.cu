// Small kernels that exercise the emulator. Not the kernels of the engine.
// The .ptx beside: nvcc 13.0 -ptx -arch=compute_80, its .version line set to 7.0.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cstdint>

__device__ float warpSum(float value) {
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(~0u, value, offset);
  }
  return value;
}

// x, y: [gridDim.x, hiddenSize].
extern "C" __global__ void __launch_bounds__(256)
    rms_norm(const __nv_bfloat16* x, const __nv_bfloat16* weight, __nv_bfloat16* y, int hiddenSize,
             float eps) {
  __shared__ float parts[8];
  __shared__ float scale;
  const __nv_bfloat16* row = x + static_cast<size_t>(blockIdx.x) * hiddenSize;
  float sum = 0;
  for (int i = threadIdx.x; i < hiddenSize; i += blockDim.x) {
    float value = __bfloat162float(row[i]);
    sum += value * value;
  }
  sum = warpSum(sum);
  if (threadIdx.x % 32 == 0) {
    parts[threadIdx.x / 32] = sum;
  }
  __syncthreads();
  if (threadIdx.x < 32) {
    float all = warpSum(threadIdx.x < blockDim.x / 32 ? parts[threadIdx.x] : 0);
    if (threadIdx.x == 0) {
      scale = rsqrtf(all / hiddenSize + eps);
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < hiddenSize; i += blockDim.x) {
    float value = __bfloat162float(row[i]) * scale * __bfloat162float(weight[i]);
    y[static_cast<size_t>(blockIdx.x) * hiddenSize + i] = __float2bfloat16(value);
  }
}

// gate, up, y: 8 values per thread, in 16-byte accesses.
extern "C" __global__ void silu_mul(const uint4* gate, const uint4* up, uint4* y, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) {
    uint4 a = gate[i], b = up[i], result;
    const __nv_bfloat162* g = reinterpret_cast<const __nv_bfloat162*>(&a);
    const __nv_bfloat162* u = reinterpret_cast<const __nv_bfloat162*>(&b);
    __nv_bfloat162* r = reinterpret_cast<__nv_bfloat162*>(&result);
    for (int j = 0; j < 4; j++) {
      float2 p = __bfloat1622float2(g[j]), q = __bfloat1622float2(u[j]);
      r[j] = __floats2bfloat162_rn(p.x / (1 + __expf(-p.x)) * q.x, p.y / (1 + __expf(-p.y)) * q.y);
    }
    y[i] = result;
  }
}

// x: [gridDim.x tokens, gridDim.y heads, 64], rotated by halves; slow sincosf included.
extern "C" __global__ void rope(float* x, const int* positions, float theta) {
  float frequency = powf(theta, -2.f * threadIdx.x / 64);
  float sine, cosine;
  sincosf(frequency * positions[blockIdx.x], &sine, &cosine);
  float* head = x + (blockIdx.x * gridDim.y + blockIdx.y) * 64;
  float a = head[threadIdx.x], b = head[threadIdx.x + 32];
  head[threadIdx.x] = a * cosine - b * sine;
  head[threadIdx.x + 32] = b * cosine + a * sine;
}

struct BlockQ8 {
  __half scale;
  int8_t values[32];
};

struct BlockQ4 {
  __half scale;
  uint8_t values[16];
};

// One warp per row.
extern "C" __global__ void gemv_q8_0(const BlockQ8* w, const float* x, float* y, int numRows,
                                     int blocksPerRow) {
  int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  if (row >= numRows) {
    return;
  }
  float sum = 0;
  for (int i = threadIdx.x % 32; i < blocksPerRow; i += 32) {
    const BlockQ8& block = w[static_cast<size_t>(row) * blocksPerRow + i];
    float part = 0;
    for (int j = 0; j < 32; j++) {
      part += block.values[j] * x[i * 32 + j];
    }
    sum += part * __half2float(block.scale);
  }
  sum = warpSum(sum);
  if (threadIdx.x % 32 == 0) {
    y[row] = sum;
  }
}

extern "C" __global__ void gemv_q4_0(const BlockQ4* w, const float* x, float* y, int numRows,
                                     int blocksPerRow) {
  int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  if (row >= numRows) {
    return;
  }
  float sum = 0;
  for (int i = threadIdx.x % 32; i < blocksPerRow; i += 32) {
    const BlockQ4& block = w[static_cast<size_t>(row) * blocksPerRow + i];
    float part = 0;
    for (int j = 0; j < 16; j++) {
      part += ((block.values[j] & 15) - 8) * x[i * 32 + j];
      part += ((block.values[j] >> 4) - 8) * x[i * 32 + 16 + j];
    }
    sum += part * __half2float(block.scale);
  }
  sum = warpSum(sum);
  if (threadIdx.x % 32 == 0) {
    y[row] = sum;
  }
}

// The bits, mapped so that they order as the floats do, of the k-th largest of x. One block of 256.
extern "C" __global__ void __launch_bounds__(256)
    radix_select(const float* x, int count, int k, unsigned* threshold) {
  __shared__ unsigned histogram[256];
  __shared__ unsigned prefix, mask, remaining;
  if (threadIdx.x == 0) {
    prefix = 0;
    mask = 0;
    remaining = k;
  }
  for (int shift = 24; shift >= 0; shift -= 8) {
    histogram[threadIdx.x] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += 256) {
      unsigned bits = __float_as_uint(x[i]);
      bits = bits >> 31 ? ~bits : bits | 0x80000000u;
      if ((bits & mask) == prefix) {
        atomicAdd(&histogram[bits >> shift & 255], 1u);
      }
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      unsigned bucket = 255, left = remaining;
      while (bucket > 0 && histogram[bucket] < left) {
        left -= histogram[bucket--];
      }
      remaining = left;
      prefix |= bucket << shift;
      mask |= 255u << shift;
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    *threshold = prefix;
  }
}

__device__ unsigned finishedBlocks;

// The block that finishes last adds up what the others wrote.
extern "C" __global__ void __launch_bounds__(32)
    sum_of_blocks(const float* x, volatile float* parts, float* result) {
  float sum = warpSum(x[blockIdx.x * 32 + threadIdx.x]);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = sum;
    __threadfence();
    if (atomicAdd(&finishedBlocks, 1u) == gridDim.x - 1) {
      float all = 0;
      for (unsigned i = 0; i < gridDim.x; i++) {
        all += parts[i];
      }
      *result = all;
      finishedBlocks = 0;
    }
  }
}

// x reversed within tiles of blockDim.x, through dynamic shared memory and asynchronous copies.
extern "C" __global__ void reverse_tiles(const float4* x, float4* y) {
  extern __shared__ float4 tile[];
  unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(&tile[threadIdx.x]));
  size_t first = static_cast<size_t>(blockIdx.x) * blockDim.x;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16;\n" ::"r"(to), "l"(x + first + threadIdx.x));
  asm volatile("cp.async.wait_all;\n");
  __syncthreads();
  y[first + threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}
