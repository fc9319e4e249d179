// Weighs, cuts off and picks the tokens of one row, by one block. Nothing is sorted, and no sum depends on an
// order: counts and weights are added as integers.
//
// A token's weight is e^((score - best) / temperature) in units of 2^-44, so that the best one weighs 2^44 and
// no sum over 524,288 tokens overflows. It is right to about 2^-22, the error of ex2.approx: two samplers
// differ where the picking number falls that close to a boundary between two tokens.
//
// Every cut is a threshold on a score, found by histograms of 2,048 bins, from the best score downwards: first
// bins of 1/64 below the best one, then equal shares of the floats of the bin in which the cut falls, until
// one float is left: three or four passes over the row, which stays in the L2 cache.
#pragma once

#include "preference.cuh"

constexpr int THREADS = 1024;
constexpr int WARPS = THREADS / WARP;
constexpr uint32_t ALL = 0xFFFFFFFFu;

// Neighbouring ids that one warp takes at once: 8 loads a lane, 32 KB of a block in flight.
constexpr int LOADS = 8;
constexpr int SEGMENT = LOADS * WARP;

// Bins of a histogram, and at most as many segments: the largest vocabulary is BINS * SEGMENT.
constexpr int BINS = 2048;
constexpr int BINS_PER_THREAD = BINS / THREADS;
constexpr int BIN_BITS = 11;
constexpr float BINS_PER_UNIT = 64;

constexpr int WEIGHT_BITS = 44;
constexpr int MANTISSA_BITS = 23;

struct Shared {
  uint64_t bins[BINS];
  uint64_t warps[WARPS];
  uint64_t found_before;
  uint64_t found_size;
  int found_bin;
  int picked;
  int num_top;
};

__device__ __forceinline__ uint64_t shuffle_up(uint64_t value, int distance) {
  return __shfl_up_sync(ALL, static_cast<unsigned long long>(value), distance);
}

__device__ __forceinline__ uint64_t shuffle_from(uint64_t value, int lane) {
  return __shfl_sync(ALL, static_cast<unsigned long long>(value), lane);
}

__device__ __forceinline__ uint64_t warp_sum(uint64_t value) {
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(ALL, static_cast<unsigned long long>(value), offset);
  }
  return value;
}

// Sum over this lane and all below.
__device__ __forceinline__ uint64_t warp_scan(uint64_t value) {
  const int lane = threadIdx.x % WARP;
  for (int offset = 1; offset < WARP; offset *= 2) {
    const uint64_t below = shuffle_up(value, offset);
    value += lane >= offset ? below : 0;
  }
  return value;
}

__device__ __forceinline__ float float_of(uint32_t order) {
  return __uint_as_float(order & 0x80000000u ? order ^ 0x80000000u : ~order);
}

// The scores of one row, and what turns them into weights.
struct Row {
  const float *scores;
  int vocab_size;
  float best;
  float scale;
  float scale_rest;

  // Zero from 2^-44 downwards. The power of two is kept to twice float's precision before its integer and its
  // fractional part are separated.
  __device__ __forceinline__ uint64_t weight(float score) const {
    const float distance = score - best;
    const float power = __fmul_rn(distance, scale);
    if (!(power > -WEIGHT_BITS)) {
      return 0;
    }
    const float taken = distance - score;
    const float distance_rest = (score - (distance - taken)) + (-best - taken);
    float rest = fmaf(distance, scale, -power);
    rest = fmaf(distance, scale_rest, rest);
    rest = fmaf(distance_rest, scale, rest);
    const float whole = rintf(power);
    float mantissa;
    asm("ex2.approx.f32 %0, %1;" : "=f"(mantissa) : "f"((power - whole) + rest));
    const uint64_t units = __float2uint_rn(mantissa * (1 << MANTISSA_BITS));
    return units << (WEIGHT_BITS - MANTISSA_BITS) >> -static_cast<int>(whole);
  }

  // Calls visit(segment, first id, values) once per warp and segment of SEGMENT ids, lane l holding the
  // values of ids first + l, first + l + 32, ...; minus infinity past the row's end.
  template <typename Visit> __device__ __forceinline__ void for_each_segment(Visit visit) const {
    const int lane = threadIdx.x % WARP;
#pragma unroll 1
    for (int segment = threadIdx.x / WARP; segment * SEGMENT < vocab_size; segment += WARPS) {
      const int first = segment * SEGMENT;
      float values[LOADS];
#pragma unroll
      for (int i = 0; i < LOADS; i++) {
        const int id = first + i * WARP + lane;
        values[i] = id < vocab_size ? scores[id] : -INFINITY;
      }
      visit(segment, first, values);
    }
  }
};

// The largest of the block's keys, in every thread.
__device__ __forceinline__ uint64_t block_max(Shared &shared, uint64_t key) {
  key = warp_max(key);
  if (threadIdx.x % WARP == 0) {
    shared.warps[threadIdx.x / WARP] = key;
  }
  __syncthreads();
  key = warp_max(shared.warps[threadIdx.x % WARP]);
  __syncthreads();
  return key;
}

// The key of the row's best token.
__device__ __forceinline__ uint64_t best_key(Shared &shared, const Row &row) {
  uint32_t best = 0;
  int best_id = 0;
  row.for_each_segment([&](int, int first, const float (&values)[LOADS]) {
#pragma unroll
    for (int i = 0; i < LOADS; i++) {
      // A lane's ids ascend: the first of equals stays.
      const uint32_t order = order_of(values[i]);
      if (order > best) {
        best = order;
        best_id = first + i * WARP;
      }
    }
  });
  const uint32_t id = best_id + threadIdx.x % WARP;
  return block_max(shared, static_cast<uint64_t>(best) << 32 | ~id);
}

__device__ __forceinline__ void clear_bins(Shared &shared) {
  __syncthreads();
#pragma unroll
  for (int i = 0; i < BINS_PER_THREAD; i++) {
    shared.bins[i * THREADS + threadIdx.x] = 0;
  }
  __syncthreads();
}

// A 64-bit addition by two of 32 bits, the ones that shared memory has: exact in any order, and most weights
// need only the first.
__device__ __forceinline__ void add_to_bin(Shared &shared, int bin, uint64_t amount) {
  uint32_t *words = reinterpret_cast<uint32_t *>(&shared.bins[bin]);
  const uint32_t low = static_cast<uint32_t>(amount);
  const uint32_t carry = atomicAdd(words, low) > ~low ? 1 : 0;
  const uint32_t high = static_cast<uint32_t>(amount >> 32) + carry;
  if (high != 0) {
    atomicAdd(words + 1, high);
  }
}

// A count fits in 32 bits.
__device__ __forceinline__ void add_to_bin(Shared &shared, int bin, uint32_t amount) {
  atomicAdd(reinterpret_cast<uint32_t *>(&shared.bins[bin]), amount);
}

struct Place {
  int bin;         // BINS if the sum of all bins does not reach what is wanted
  uint64_t before; // sum of the bins before it
  uint64_t size;   // the bin's own
  uint64_t wanted;
};

// The first bin at which the running sum reaches wanted_of(sum of all bins).
template <typename WantedOf> __device__ __forceinline__ Place locate(Shared &shared, WantedOf wanted_of) {
  const int warp = threadIdx.x / WARP;
  const int lane = threadIdx.x % WARP;
  __syncthreads();
  const int first = threadIdx.x * BINS_PER_THREAD;
  uint64_t sum = 0;
#pragma unroll
  for (int i = 0; i < BINS_PER_THREAD; i++) {
    sum += shared.bins[first + i];
  }
  const uint64_t scan = warp_scan(sum);
  if (lane == WARP - 1) {
    shared.warps[warp] = scan;
  }
  if (threadIdx.x == 0) {
    shared.found_bin = BINS;
    shared.found_before = 0;
    shared.found_size = 0;
  }
  __syncthreads();
  const uint64_t warps = warp_scan(shared.warps[lane]);
  const uint64_t wanted = wanted_of(shuffle_from(warps, WARP - 1));
  const uint64_t warps_before = shuffle_from(warps, max(warp - 1, 0));
  uint64_t before = (warp == 0 ? 0 : warps_before) + scan - sum;
#pragma unroll
  for (int i = 0; i < BINS_PER_THREAD; i++) {
    const uint64_t size = shared.bins[first + i];
    if (before < wanted && wanted <= before + size) {
      shared.found_bin = first + i;
      shared.found_before = before;
      shared.found_size = size;
    }
    before += size;
  }
  __syncthreads();
  return {shared.found_bin, shared.found_before, shared.found_size, wanted};
}

__device__ __forceinline__ uint32_t linear_bin(float best, float score) {
  return min(__float2uint_rz((best - score) * BINS_PER_UNIT), BINS - 1u);
}

// The lowest order whose linear bin is `bin` or before it.
__device__ __forceinline__ uint32_t lowest_order(float best, uint32_t bin) {
  uint32_t low = MINUS_INFINITY + 1;
  uint32_t high = order_of(best);
#pragma unroll 1
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (linear_bin(best, float_of(middle)) <= bin) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

struct Cut {
  uint32_t order; // the lowest kept
  uint64_t room;  // what is wanted of those at `order` itself; 0: all from it upwards are just enough
};

// The highest cut at which the amounts of the tokens from it upwards, none below `floor`, reach
// wanted_of(their sum); `floor` if they never do.
template <typename AmountOf, typename WantedOf>
__device__ __forceinline__ Cut find_cut(Shared &shared, const Row &row, uint32_t floor, AmountOf amount_of,
                                        WantedOf wanted_of) {
  clear_bins(shared);
  row.for_each_segment([&](int, int, const float (&values)[LOADS]) {
#pragma unroll
    for (int i = 0; i < LOADS; i++) {
      if (order_of(values[i]) >= floor) {
        add_to_bin(shared, linear_bin(row.best, values[i]), amount_of(values[i]));
      }
    }
  });
  Place place = locate(shared, wanted_of);
  if (place.bin == BINS) {
    return {floor, 0};
  }
  uint64_t wanted = place.wanted;
  uint32_t high = place.bin == 0 ? order_of(row.best) : lowest_order(row.best, place.bin - 1) - 1;
  uint32_t low = place.bin == BINS - 1 ? floor : max(floor, lowest_order(row.best, place.bin));
#pragma unroll 1
  while (low < high && place.before + place.size != wanted) {
    wanted -= place.before;
    const int shift = max(0, WARP - __clz(high - low) - BIN_BITS);
    clear_bins(shared);
    row.for_each_segment([&](int, int, const float (&values)[LOADS]) {
#pragma unroll
      for (int i = 0; i < LOADS; i++) {
        const uint32_t order = order_of(values[i]);
        if (order >= low && order <= high) {
          add_to_bin(shared, (high - order) >> shift, amount_of(values[i]));
        }
      }
    });
    place = locate(shared, [&](uint64_t) { return wanted; });
    high -= static_cast<uint32_t>(place.bin) << shift;
    low = max(low, high - ((1u << shift) - 1));
  }
  return {low, place.before + place.size == wanted ? 0 : wanted - place.before};
}

// Sums what amount_of(value) gives over each segment into the bins.
template <typename AmountOf>
__device__ __forceinline__ void sum_segments(Shared &shared, const Row &row, AmountOf amount_of) {
  clear_bins(shared);
  row.for_each_segment([&](int segment, int, const float (&values)[LOADS]) {
    uint64_t sum = 0;
#pragma unroll
    for (int i = 0; i < LOADS; i++) {
      sum += amount_of(values[i]);
    }
    sum = warp_sum(sum);
    if (threadIdx.x % WARP == 0) {
      shared.bins[segment] = sum;
    }
  });
}

// The first id at which the running sum of amounts in ascending id reaches wanted_of(sum of all).
template <typename AmountOf, typename WantedOf>
__device__ __forceinline__ int pick(Shared &shared, const Row &row, AmountOf amount_of, WantedOf wanted_of) {
  sum_segments(shared, row, amount_of);
  const Place place = locate(shared, wanted_of);
  if (threadIdx.x < WARP) {
    uint64_t before = place.before;
#pragma unroll 1
    for (int i = 0; i < LOADS; i++) {
      const int id = place.bin * SEGMENT + i * WARP + static_cast<int>(threadIdx.x);
      const uint64_t scan = before + warp_scan(id < row.vocab_size ? amount_of(row.scores[id]) : 0);
      const uint32_t reached = __ballot_sync(ALL, scan >= place.wanted);
      if (reached != 0) {
        if (threadIdx.x == 0) {
          shared.picked = id + __ffs(reached) - 1;
        }
        break;
      }
      before = shuffle_from(scan, WARP - 1);
    }
  }
  __syncthreads();
  return shared.picked;
}
