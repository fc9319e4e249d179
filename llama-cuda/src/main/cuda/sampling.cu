// Draws one token per row of logits, as core's Sampler does: bias and penalties, temperature, top-k, top-p,
// min-p, and one number that picks among the kept tokens in ascending id. Nothing is sorted, and no sum
// depends on an order: counts and probabilities are added as integers.
//
//   logits  [numRows][vocabSize] f32   changed while a draw with bias or penalties runs, then as before
//   draws   [grid]                     see Draw; no two draws of a launch have the same row
//   entries [numEntries]               see Entry: of each draw its biases, then its history
//   undo    [numEntries] f32           scratch
//   ids     [grid] i32                 -1 for a row without a softmax
//   reports [numReports]               see Report
//
// A token's weight is e^((score - best) / temperature) in units of 2^-44, so that the best one weighs 2^44 and
// no sum over 524,288 tokens overflows. It is right to about 2^-22, the error of ex2.approx: two samplers
// differ where the picking number falls that close to a boundary between two tokens.
//
// Every cut is a threshold on a score, found by histograms of 2,048 bins, from the best score downwards: first
// bins of 1/64 below the best one, then equal shares of the floats of the bin in which the cut falls, until
// one float is left: three or four passes over the row, which stays in the L2 cache.
//
//   plain draw          2 passes: best, weights
//   top-k, top-p        3 more each; min-p none; bias or penalties 1; log-probabilities 1, with alternatives 6
//
// Grid: x = draw. Block: 1024.

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
constexpr int MAX_TOP = 100;

// DrawBlock.java writes these, little-endian, without gaps.
struct Draw {
  uint64_t uniform; // times 2^64, rounded down
  uint64_t top_p;   // times 2^64, rounded down; 0: off
  double min_p_distance; // temperature * ln(min_p)
  double repetition;
  double presence;
  double frequency;
  float scale;      // log2(e) / temperature; 0: greedy
  float scale_rest; // what the float above lacks
  int row;
  int top_k; // 0: off
  int first_entry;
  int num_biases;
  int num_history;
  int report;  // which one to fill; -1: none
  int num_top; // alternatives to report
  int padding;
};
static_assert(sizeof(Draw) == 88, "as in DrawBlock.java");

struct Entry {
  int id;
  uint32_t value; // of a bias its float, of the history the token's count in the output
};

// LogprobReports.java reads these.
struct Report {
  uint64_t sum; // of e^(logit - best) over the row, times 2^44
  float best;   // the row's largest logit
  float logit;  // of the drawn token
  int num_top;
  int padding;
  int top_ids[MAX_TOP]; // in no order
  float top_logits[MAX_TOP];
};
static_assert(sizeof(Report) == 824, "as in LogprobReports.java");

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

// No finite score becomes infinite, which would ban or force a token.
__device__ __forceinline__ float round_score(double score) {
  const float rounded = __double2float_rn(score);
  return isinf(rounded) && !isinf(score) ? copysignf(3.402823466e+38f, rounded) : rounded;
}

__device__ __forceinline__ void apply(const Draw &draw, const Entry *entries, float *undo, float *scores) {
#pragma unroll 1
  for (int i = threadIdx.x; i < draw.num_biases; i += THREADS) {
    const Entry bias = entries[i];
    const float score = scores[bias.id];
    undo[i] = score;
    scores[bias.id] = round_score(static_cast<double>(score) + __uint_as_float(bias.value));
  }
  __syncthreads();
#pragma unroll 1
  for (int i = draw.num_biases + threadIdx.x; i < draw.num_biases + draw.num_history; i += THREADS) {
    const Entry seen = entries[i];
    undo[i] = scores[seen.id];
    double score = undo[i];
    score = score < 0 ? score * draw.repetition : score / draw.repetition;
    if (seen.value > 0) {
      score -= draw.presence + draw.frequency * seen.value;
    }
    scores[seen.id] = round_score(score);
  }
  __syncthreads();
}

// A token with a bias that is also in the history has two entries: the last change is undone first.
__device__ __forceinline__ void restore(const Draw &draw, const Entry *entries, const float *undo, float *scores) {
  __syncthreads();
#pragma unroll 1
  for (int i = draw.num_biases + threadIdx.x; i < draw.num_biases + draw.num_history; i += THREADS) {
    scores[entries[i].id] = undo[i];
  }
  __syncthreads();
#pragma unroll 1
  for (int i = threadIdx.x; i < draw.num_biases; i += THREADS) {
    scores[entries[i].id] = undo[i];
  }
  __syncthreads();
}

__device__ __forceinline__ int draw_token(Shared &shared, const Draw &draw, const Row &row) {
  const auto weight_of = [&](float score) { return row.weight(score); };
  uint32_t floor = MINUS_INFINITY + 1;
  if (draw.top_k > 0) {
    const auto one = [](float) { return 1u; };
    const uint64_t top_k = draw.top_k;
    floor = find_cut(shared, row, floor, one, [&](uint64_t) { return top_k; }).order;
  }
  if (draw.top_p > 0) {
    const uint64_t top_p = draw.top_p;
    floor = find_cut(shared, row, floor, weight_of, [&](uint64_t sum) {
              return max(__umul64hi(top_p, sum) + (top_p * sum != 0 ? 1 : 0), 1ull);
            }).order;
  }
  floor = max(floor, order_of(__double2float_ru(row.best + draw.min_p_distance)));
  const uint64_t uniform = draw.uniform;
  return pick(
      shared, row, [&](float score) { return order_of(score) >= floor ? row.weight(score) : 0; },
      [&](uint64_t sum) { return __umul64hi(uniform, sum) + 1; });
}

__device__ __forceinline__ void fill_report(Shared &shared, const Row &row, int num_top, int id, Report *report) {
  sum_segments(shared, row, [&](float logit) { return row.weight(logit); });
  uint64_t sum = 0;
  locate(shared, [&](uint64_t all) { return sum = all; });
  Cut cut = {BROKEN, 0};
  int last_tie = INT_MAX;
  if (num_top > 0) {
    const auto one = [](float) { return 1u; };
    cut = find_cut(shared, row, MINUS_INFINITY + 1, one, [&](uint64_t) -> uint64_t { return num_top; });
    if (cut.room > 0) {
      last_tie = pick(
          shared, row, [&](float logit) -> uint64_t { return order_of(logit) == cut.order; },
          [&](uint64_t) { return cut.room; });
    }
  }
  if (threadIdx.x == 0) {
    shared.num_top = 0;
  }
  __syncthreads();
  if (num_top > 0) {
    const int lane = threadIdx.x % WARP;
    row.for_each_segment([&](int, int first, const float (&values)[LOADS]) {
#pragma unroll
      for (int i = 0; i < LOADS; i++) {
        const int at = first + i * WARP + lane;
        const uint32_t order = order_of(values[i]);
        if (order > cut.order || (order == cut.order && at <= last_tie)) {
          const int slot = atomicAdd(&shared.num_top, 1);
          report->top_ids[slot] = at;
          report->top_logits[slot] = values[i];
        }
      }
    });
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    report->sum = sum;
    report->best = row.best;
    report->logit = row.scores[id];
    report->num_top = shared.num_top;
  }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    sample(float *logits, const Draw *__restrict__ draws, const Entry *__restrict__ entries, float *undo, int *ids,
           Report *reports, int vocab_size) {
  __shared__ Shared shared;
  const Draw draw = draws[blockIdx.x];
  float *scores = logits + static_cast<int64_t>(draw.row) * vocab_size;
  const float LOG2_E = 1.44269504f;
  const float LOG2_E_REST = 1.92596299e-8f; // log2(e) = LOG2_E + LOG2_E_REST to 48 bits
  Row row = {scores, vocab_size, 0, LOG2_E, LOG2_E_REST};

  uint64_t best = best_key(shared, row);
  const uint32_t raw_best = static_cast<uint32_t>(best >> 32);
  int id = -1;
  if (raw_best != BROKEN && raw_best > MINUS_INFINITY) {
    const bool changed = draw.num_biases + draw.num_history > 0;
    if (changed) {
      apply(draw, entries + draw.first_entry, undo + draw.first_entry, scores);
      best = best_key(shared, row);
    }
    const uint32_t order = static_cast<uint32_t>(best >> 32);
    if (order > MINUS_INFINITY) {
      if (draw.scale == 0) {
        id = static_cast<int>(~static_cast<uint32_t>(best));
      } else {
        id = draw_token(shared, draw, {scores, vocab_size, float_of(order), draw.scale, draw.scale_rest});
      }
    }
    if (changed) {
      restore(draw, entries + draw.first_entry, undo + draw.first_entry, scores);
    }
    if (draw.report >= 0 && id >= 0) {
      row.best = float_of(raw_best);
      fill_report(shared, row, draw.num_top, id, reports + draw.report);
    }
  }
  if (threadIdx.x == 0) {
    ids[blockIdx.x] = id;
  }
}
