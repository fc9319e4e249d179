package io.cusco.llama.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.TokenLogprobs;
import java.lang.foreign.MemorySegment;

/// Reads what the sampling kernel reports of a row's distribution: `Report` in sampling.cu.
///
/// ```
/// | sum u64 | best f32 | logit f32 | numTop i32 | - | topIds i32 [100] | topLogits f32 [100] |
/// ```
final class LogprobReports {
  static final int REPORT_BYTES = 24 + 2 * Integer.BYTES * SamplingParams.MAX_LOGPROBS;

  private static final long SUM = 0;
  private static final long BEST = 8;
  private static final long LOGIT = 12;
  private static final long NUM_TOP = 16;
  private static final long IDS = 24;
  private static final long LOGITS = IDS + (long) Integer.BYTES * SamplingParams.MAX_LOGPROBS;

  /// One unit of the sum; `WEIGHT_BITS` in selection.cuh.
  private static final double UNIT = 0x1p-44;

  private LogprobReports() {}

  /// @param at where the report starts
  static TokenLogprobs read(MemorySegment reports, long at, int tokenId) {
    float best = reports.get(JAVA_FLOAT, at + BEST);
    double logSumExp = best + Math.log(unsigned(reports.get(JAVA_LONG, at + SUM)) * UNIT);
    int count = reports.get(JAVA_INT, at + NUM_TOP);
    int[] ids = new int[count];
    float[] logits = new float[count];
    for (int i = 0; i < count; i++) {
      int id = reports.get(JAVA_INT, at + IDS + (long) i * Integer.BYTES);
      float logit = reports.get(JAVA_FLOAT, at + LOGITS + (long) i * Float.BYTES);
      insert(ids, logits, i, id, logit);
    }
    for (int i = 0; i < count; i++) {
      logits[i] = (float) (logits[i] - logSumExp);
    }
    float logprob = (float) (reports.get(JAVA_FLOAT, at + LOGIT) - logSumExp);
    return new TokenLogprobs(tokenId, logprob, ids, logits);
  }

  /// Half a million equal logits come to 2^63.
  private static double unsigned(long sum) {
    return (sum >>> 1) * 2.0 + (sum & 1);
  }

  /// Into the first `size` entries, which are sorted: best first, ties in id order.
  private static void insert(int[] ids, float[] logits, int size, int id, float logit) {
    int at = size;
    while (at > 0 && (logits[at - 1] < logit || (logits[at - 1] == logit && ids[at - 1] > id))) {
      ids[at] = ids[at - 1];
      logits[at] = logits[at - 1];
      at--;
    }
    ids[at] = id;
    logits[at] = logit;
  }
}
