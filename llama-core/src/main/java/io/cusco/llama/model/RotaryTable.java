package io.cusco.llama.model;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/// The cosines and sines of rotary position embedding for the first `maxPositions` positions,
/// `[maxPositions, headDim / 2]` float32 each, off-heap: pair `i` of a head at position `p` turns
/// by the angle `p * inverseFrequencies[i]`.
///
/// Angles are computed in double and rounded once, so that position 131,071 is as exact as position
/// 1. Which two elements form pair `i` is the weights' business
///    ([io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout]). Read-only after construction and
///    safe for use by several threads; freed with the arena it was made in.
///
/// Source: RoFormer (arXiv 2104.09864), section 3.2.
public final class RotaryTable {
  /// Positions computed between two copies to off-heap memory: half a megabyte at 128-wide heads.
  private static final int CHUNK = 1024;

  private final MemorySegment cos;
  private final MemorySegment sin;
  private final int halfDim;
  private final int maxPositions;

  private RotaryTable(MemorySegment cos, MemorySegment sin, int halfDim, int maxPositions) {
    this.cos = cos;
    this.sin = sin;
    this.halfDim = halfDim;
    this.maxPositions = maxPositions;
  }

  /// Computes the table; uses all cores for long contexts.
  ///
  /// @param maxPositions the context in use, which may be shorter than the checkpoint's
  /// @param arena owns the table
  public static RotaryTable of(LlamaConfig config, int maxPositions, Arena arena) {
    if (maxPositions <= 0) {
      throw new IllegalArgumentException("maxPositions must be positive, got " + maxPositions);
    }
    double[] frequencies = inverseFrequencies(config);
    int halfDim = frequencies.length;
    long numBytes = Math.multiplyExact((long) maxPositions * halfDim, Float.BYTES);
    MemorySegment cos = NativeMemory.allocateZeroed(numBytes, arena);
    MemorySegment sin = NativeMemory.allocateZeroed(numBytes, arena);
    // Threads fill arrays, and only the caller touches the segments: its arena may be confined.
    float[] cosChunk = new float[Math.min(CHUNK, maxPositions) * halfDim];
    float[] sinChunk = new float[cosChunk.length];
    for (int start = 0; start < maxPositions; start += CHUNK) {
      int first = start;
      int rows = Math.min(CHUNK, maxPositions - start);
      IntStream.range(0, rows)
          .parallel()
          .forEach(row -> {
            for (int i = 0; i < halfDim; i++) {
              double angle = (first + row) * frequencies[i];
              cosChunk[row * halfDim + i] = (float) Math.cos(angle);
              sinChunk[row * halfDim + i] = (float) Math.sin(angle);
            }
          });
      copy(cosChunk, rows * halfDim, cos, (long) start * halfDim);
      copy(sinChunk, rows * halfDim, sin, (long) start * halfDim);
    }
    return new RotaryTable(cos, sin, halfDim, maxPositions);
  }

  /// Radians per position of each pair, `[headDim / 2]`, scaling included.
  public static double[] inverseFrequencies(LlamaConfig config) {
    double[] frequencies = new double[config.headDim() / 2];
    for (int i = 0; i < frequencies.length; i++) {
      double base = baseFrequency(config, i);
      frequencies[i] =
          switch (config.ropeScaling()) {
            case RopeScaling.None() -> base;
            case RopeScaling.Linear(double factor) -> base / factor;
            case RopeScaling.Llama3 scaling -> scale(base, scaling);
            case RopeScaling.FrequencyFactors factors -> base / factors.factor(i);
          };
    }
    return frequencies;
  }

  /// What the scaling divides each pair's base frequency by, `[headDim / 2]`: the values of GGUF's
  /// `rope_freqs.weight`.
  public static float[] frequencyFactors(LlamaConfig config) {
    double[] scaled = inverseFrequencies(config);
    float[] factors = new float[scaled.length];
    for (int i = 0; i < factors.length; i++) {
      factors[i] = (float) (baseFrequency(config, i) / scaled[i]);
    }
    return factors;
  }

  private static double baseFrequency(LlamaConfig config, int pair) {
    return Math.pow(config.ropeTheta(), -2.0 * pair / config.headDim());
  }

  /// Meta's `apply_scaling` (llama-models, `llama3/model.py`): wavelengths beyond the original
  /// context are stretched, those that turn `highFreqFactor` times within it are kept.
  private static double scale(double frequency, RopeScaling.Llama3 scaling) {
    double turns = scaling.originalMaxPositionEmbeddings() * frequency / (2 * Math.PI);
    if (turns > scaling.highFreqFactor()) {
      return frequency;
    }
    if (turns < scaling.lowFreqFactor()) {
      return frequency / scaling.factor();
    }
    double smooth =
        (turns - scaling.lowFreqFactor()) / (scaling.highFreqFactor() - scaling.lowFreqFactor());
    return (1 - smooth) * frequency / scaling.factor() + smooth * frequency;
  }

  private static void copy(float[] from, int count, MemorySegment to, long index) {
    MemorySegment.copy(from, 0, to, ValueLayout.JAVA_FLOAT, index * Float.BYTES, count);
  }

  /// Cosines, `[maxPositions, halfDim]` float32.
  public MemorySegment cos() {
    return cos;
  }

  /// Sines, `[maxPositions, halfDim]` float32.
  public MemorySegment sin() {
    return sin;
  }

  /// Pairs per head: `headDim / 2`.
  public int halfDim() {
    return halfDim;
  }

  public int maxPositions() {
    return maxPositions;
  }
}
