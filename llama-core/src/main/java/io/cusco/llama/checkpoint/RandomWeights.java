package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.LongStream;

/// Fills tensors with random weights of mean 0 and a standard deviation near [#STANDARD_DEVIATION],
/// on all cores, the same for the same seed whatever the number of cores.
///
/// Quantised blocks get random bits for everything but the float16 scales, which are set so that
/// the decoded values have the wanted spread.
final class RandomWeights {
  /// transformers' `initializer_range` for Llama: keeps activations and logits of order one.
  static final double STANDARD_DEVIATION = 0.02;

  /// Blocks filled by one thread at a time.
  private static final long CHUNK_BLOCKS = 1 << 14;

  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L; // SplitMix64, Steele et al. 2014

  // Standard deviation of the integers that a block's random bits stand for, before the scale d.
  private static final double SPREAD_INT8 = 73.9; // uniform -128..127
  private static final double SPREAD_INT4 = 4.61; // uniform -8..7
  // K-quants: scales and mins are uniform 0..63, Q6_K's scales uniform int8, quants uniform:
  // d * scale * (q - mean) and, with dmin = mean * d, d * mean * (scale - min), added in
  // quadrature.
  private static final double SPREAD_Q4_K = 258;
  private static final double MEAN_Q4_K = 7.5;
  private static final double SPREAD_Q5_K = 526;
  private static final double MEAN_Q5_K = 15.5;
  private static final double SPREAD_Q6_K = 1367;

  private RandomWeights() {}

  /// @param dtype a float type, Q8_0, Q4_0, Q4_K, Q5_K or Q6_K
  /// @param target whole blocks, accessible by all threads
  static void fill(DType dtype, MemorySegment target, long seed) {
    long numBlocks = target.byteSize() / dtype.blockBytes();
    LongStream.range(0, Math.ceilDiv(numBlocks, CHUNK_BLOCKS))
        .parallel()
        .forEach(chunk -> {
          long first = chunk * CHUNK_BLOCKS;
          long count = Math.min(CHUNK_BLOCKS, numBlocks - first);
          MemorySegment part =
              target.asSlice(first * dtype.blockBytes(), count * dtype.blockBytes());
          long state = mix(seed + mix(chunk + 1));
          if (dtype.isFloat()) {
            fillFloats(dtype, part, count, state);
          } else {
            fillBits(part, state);
            setScales(dtype, part, count);
          }
        });
  }

  /// Each random byte picks one of 256 evenly spaced values.
  private static void fillFloats(DType dtype, MemorySegment target, long count, long seed) {
    float[] levels = new float[256];
    for (int i = 0; i < levels.length; i++) {
      levels[i] = (float) ((i - 127.5) / SPREAD_INT8 * STANDARD_DEVIATION);
    }
    long state = seed;
    long bits = 0;
    int width = dtype.blockBytes();
    for (long i = 0; i < count; i++) {
      if (i % Long.BYTES == 0) {
        state += GOLDEN_GAMMA;
        bits = mix(state);
      }
      float value = levels[(int) bits & 0xFF];
      bits >>>= Byte.SIZE;
      switch (dtype) {
        case F32 -> target.set(BlockFormats.FLOAT, i * width, value);
        case F16 -> target.set(BlockFormats.SHORT, i * width, Float.floatToFloat16(value));
        default -> target.set(BlockFormats.SHORT, i * width, BlockQuantizer.floatToBfloat16(value));
      }
    }
  }

  private static void fillBits(MemorySegment target, long seed) {
    long state = seed;
    long at = 0;
    for (; at <= target.byteSize() - Long.BYTES; at += Long.BYTES) {
      state += GOLDEN_GAMMA;
      target.set(ValueLayout.JAVA_LONG_UNALIGNED, at, Long.reverseBytes(mix(state)));
    }
    for (; at < target.byteSize(); at++) {
      state += GOLDEN_GAMMA;
      target.set(ValueLayout.JAVA_BYTE, at, (byte) mix(state));
    }
  }

  private static void setScales(DType dtype, MemorySegment target, long count) {
    for (long block = 0; block < count; block++) {
      long at = block * dtype.blockBytes();
      switch (dtype) {
        case Q8_0 -> setHalf(target, at, STANDARD_DEVIATION / SPREAD_INT8);
        // -8..7 leans to one side; alternating signs of the scale put the mean back to 0.
        case Q4_0 ->
            setHalf(target, at, STANDARD_DEVIATION / SPREAD_INT4 * (block % 2 == 0 ? 1 : -1));
        case Q4_K -> setScaleAndMin(target, at, STANDARD_DEVIATION / SPREAD_Q4_K, MEAN_Q4_K);
        case Q5_K -> setScaleAndMin(target, at, STANDARD_DEVIATION / SPREAD_Q5_K, MEAN_Q5_K);
        case Q6_K -> setHalf(target, at + 208, STANDARD_DEVIATION / SPREAD_Q6_K);
        case F32, F16, BF16, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, IQ4_NL, IQ4_XS ->
            throw new IllegalArgumentException("no random weights of type " + dtype);
      }
    }
  }

  private static void setScaleAndMin(MemorySegment target, long at, double d, double mean) {
    setHalf(target, at, d);
    setHalf(target, at + 2, d * mean);
  }

  private static void setHalf(MemorySegment target, long at, double value) {
    target.set(BlockFormats.SHORT, at, Float.floatToFloat16((float) value));
  }

  /// SplitMix64's output function.
  private static long mix(long state) {
    long z = (state ^ state >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }
}
