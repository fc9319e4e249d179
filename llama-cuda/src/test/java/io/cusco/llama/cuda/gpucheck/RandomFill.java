package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.ElementType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;

/// Fills device memory with random values: zeros move and multiply faster than data does. They are
/// made once on the host and laid side by side on the device.
final class RandomFill {
  private static final long SEED = 20261121;
  private static final int PATTERN_BYTES = 4 << 20;

  private RandomFill() {}

  /// Values in -1 .. 1.
  static void uniform(DeviceBuffer buffer, ElementType type, CudaStream stream) {
    fill(buffer, type, stream, random -> random.nextDouble(-1, 1));
  }

  /// Values of mean 0.
  static void gaussian(
      DeviceBuffer buffer, ElementType type, double standardDeviation, CudaStream stream) {
    fill(buffer, type, stream, random -> standardDeviation * random.nextGaussian());
  }

  private static void fill(
      DeviceBuffer buffer,
      ElementType type,
      CudaStream stream,
      ToDoubleFunction<SplittableRandom> values) {
    long patternBytes = Math.min(PATTERN_BYTES, buffer.numBytes());
    SplittableRandom random = new SplittableRandom(SEED);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pattern = arena.allocate(patternBytes, Long.BYTES);
      long step = type.numBytes();
      for (long at = 0; at + step <= patternBytes; at += step) {
        set(pattern, at, type, (float) values.applyAsDouble(random), random);
      }
      buffer.copyFrom(pattern, 0);
    }
    for (long at = patternBytes; at < buffer.numBytes(); at += patternBytes) {
      long length = Math.min(patternBytes, buffer.numBytes() - at);
      buffer.copyFrom(buffer, 0, at, length, stream);
    }
  }

  private static void set(
      MemorySegment target, long at, ElementType type, float value, SplittableRandom random) {
    switch (type) {
      case F32 -> target.set(ValueLayout.JAVA_FLOAT, at, value);
      case F16 -> target.set(ValueLayout.JAVA_SHORT, at, Float.floatToFloat16(value));
      case BF16 ->
          target.set(
              ValueLayout.JAVA_SHORT, at, (short) (Float.floatToRawIntBits(value) >>> Short.SIZE));
      // Random bits below 0x70 in magnitude: up to 240, and never one of the two NaNs.
      case FP8_E4M3, FP8_E5M2 ->
          target.set(
              ValueLayout.JAVA_BYTE,
              at,
              (byte) (random.nextInt(0x70) | (random.nextInt(2) << (Byte.SIZE - 1))));
    }
  }
}
