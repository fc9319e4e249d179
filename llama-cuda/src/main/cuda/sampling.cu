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
// How tokens are weighed, cut off and picked: selection.cuh. In passes over the row, which stays in the L2 cache:
//
//   plain draw          2 passes: best, weights
//   top-k, top-p        3 more each; min-p none; bias or penalties 1; log-probabilities 1, with alternatives 6
//
// Grid: x = draw. Block: 1024.

#include "selection.cuh"

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
