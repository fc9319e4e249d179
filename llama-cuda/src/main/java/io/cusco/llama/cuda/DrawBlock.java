package io.cusco.llama.cuda;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.SamplingStep;
import io.cusco.llama.sampling.TokenHistory;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/// Writes a step's draws as the sampling kernel reads them: `Draw` and `Entry` in sampling.cu.
///
/// ```
/// | draws [size] of 88 bytes | entries of 8 bytes: each draw's biases, then its history |
/// ```
final class DrawBlock {
  static final int DRAW_BYTES = 88;
  static final int ENTRY_BYTES = 8;

  private static final long UNIFORM = 0;
  private static final long TOP_P = 8;
  private static final long MIN_P_DISTANCE = 16;
  private static final long REPETITION = 24;
  private static final long PRESENCE = 32;
  private static final long FREQUENCY = 40;
  private static final long SCALE = 48;
  private static final long SCALE_REST = 52;
  private static final long ROW = 56;
  private static final long TOP_K = 60;
  private static final long FIRST_ENTRY = 64;
  private static final long NUM_BIASES = 68;
  private static final long NUM_HISTORY = 72;
  private static final long REPORT = 76;
  private static final long NUM_TOP = 80;
  private static final long PADDING = 84;

  private static final double LOG2_E = 1 / Math.log(2);

  /// A temperature under which every other score than the best has weight zero anyway; keeps the
  /// scale finite in float32.
  private static final double MAX_SCALE = 1e30;

  private DrawBlock() {}

  /// Bytes that a step takes.
  static long numBytes(SamplingStep step) {
    long entries = 0;
    for (int i = 0; i < step.size(); i++) {
      SamplingParams params = step.params(i);
      entries += params.logitBias().size();
      entries += params.usesHistory() ? step.history(i).size() : 0;
    }
    return (long) step.size() * DRAW_BYTES + entries * ENTRY_BYTES;
  }

  /// Writes [#numBytes] bytes.
  ///
  /// @return draws that want log-probabilities; each has its number among them as its report
  /// @throws IllegalArgumentException for a token id outside of the vocabulary
  static int write(SamplingStep step, int vocabSize, MemorySegment to) {
    long entriesAt = (long) step.size() * DRAW_BYTES;
    int numEntries = 0;
    int numReports = 0;
    for (int i = 0; i < step.size(); i++) {
      SamplingParams params = step.params(i);
      int firstEntry = numEntries;
      int numBiases = params.logitBias().size();
      if (numBiases > 0) {
        for (Map.Entry<Integer, Float> bias : params.logitBias().entrySet()) {
          int bits = Float.floatToRawIntBits(bias.getValue());
          int id = checkId(bias.getKey(), vocabSize, "logit_bias");
          writeEntry(to, entriesAt + (long) numEntries++ * ENTRY_BYTES, id, bits);
        }
      }
      int numHistory = 0;
      if (params.usesHistory()) {
        TokenHistory history = step.history(i);
        numHistory = history.size();
        for (int j = 0; j < numHistory; j++) {
          int id = checkId(history.id(j), vocabSize, "history");
          long at = entriesAt + (long) numEntries++ * ENTRY_BYTES;
          writeEntry(to, at, id, history.outputCount(j));
        }
      }
      long at = (long) i * DRAW_BYTES;
      writeParams(to, at, params, step.uniform(i));
      to.set(JAVA_INT, at + ROW, step.logitsRow(i));
      to.set(JAVA_INT, at + FIRST_ENTRY, firstEntry);
      to.set(JAVA_INT, at + NUM_BIASES, numBiases);
      to.set(JAVA_INT, at + NUM_HISTORY, numHistory);
      to.set(JAVA_INT, at + REPORT, params.wantsLogprobs() ? numReports++ : -1);
      to.set(JAVA_INT, at + NUM_TOP, Math.max(params.logprobs(), 0));
      to.set(JAVA_INT, at + PADDING, 0);
    }
    return numReports;
  }

  private static void writeParams(
      MemorySegment to, long at, SamplingParams params, double uniform) {
    double temperature = params.temperature();
    double scale = params.isGreedy() ? 0 : Math.min(LOG2_E / temperature, MAX_SCALE);
    double minPDistance =
        params.minP() > 0 ? temperature * Math.log(params.minP()) : Double.NEGATIVE_INFINITY;
    to.set(JAVA_LONG, at + UNIFORM, fraction(uniform));
    // Zero turns top-p off; no p is so small that it does.
    to.set(
        JAVA_LONG, at + TOP_P, params.topP() < 1 ? fraction(Math.max(params.topP(), 0x1p-63)) : 0);
    to.set(JAVA_DOUBLE, at + MIN_P_DISTANCE, minPDistance);
    to.set(JAVA_DOUBLE, at + REPETITION, params.repetitionPenalty());
    to.set(JAVA_DOUBLE, at + PRESENCE, params.presencePenalty());
    to.set(JAVA_DOUBLE, at + FREQUENCY, params.frequencyPenalty());
    to.set(JAVA_FLOAT, at + SCALE, (float) scale);
    to.set(JAVA_FLOAT, at + SCALE_REST, (float) (scale - (float) scale));
    to.set(JAVA_INT, at + TOP_K, params.topK());
  }

  /// `value` in `[0, 1)` times 2^64 as an unsigned number, the lowest bit lost.
  private static long fraction(double value) {
    return (long) (value * 0x1p63) << 1;
  }

  private static void writeEntry(MemorySegment to, long at, int id, int value) {
    to.set(JAVA_INT, at, id);
    to.set(JAVA_INT, at + Integer.BYTES, value);
  }

  private static int checkId(int id, int vocabSize, String what) {
    if (id < 0 || id >= vocabSize) {
      throw new IllegalArgumentException(
          "%s: token id %d is outside the vocabulary of %d".formatted(what, id, vocabSize));
    }
    return id;
  }
}
