package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/// Matrices for GEMM tests: made on the host in the type under test, read back as float64.
final class DeviceArrays {
  private DeviceArrays() {}

  /// Random values of about unit size that the format represents exactly.
  static float[] random(Random random, int count, ElementFormat format) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = round((float) random.nextGaussian(), format);
    }
    return values;
  }

  static float round(float value, ElementFormat format) {
    return switch (format) {
      case F32 -> value;
      case F16 -> Float.float16ToFloat(Float.floatToFloat16(value));
      case BF16 -> Float.intBitsToFloat(ElementFormat.toBfloat16(value) << 16);
      // Small integers are in both FP8 formats.
      case E4M3, E5M2 -> Math.clamp(Math.round(2 * value), -4, 4);
    };
  }

  /// Puts values on the device in this format.
  static DeviceBuffer upload(CudaContext context, float[] values, ElementFormat format) {
    DeviceBuffer buffer =
        DeviceBuffer.allocate(context, "matrix", (long) values.length * format.numBytes());
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(buffer.numBytes());
      for (int i = 0; i < values.length; i++) {
        put(host, i, values[i], format);
      }
      buffer.copyFrom(host, 0);
    }
    return buffer;
  }

  private static void put(MemorySegment host, int i, float value, ElementFormat format) {
    switch (format) {
      case F32 -> host.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
      case F16 -> host.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(value));
      case BF16 -> host.setAtIndex(ValueLayout.JAVA_SHORT, i, ElementFormat.toBfloat16(value));
      case E4M3 -> host.set(ValueLayout.JAVA_BYTE, i, toE4m3(value));
      case E5M2 -> host.set(ValueLayout.JAVA_BYTE, i, (byte) (Float.floatToFloat16(value) >> 8));
    }
  }

  /// Whole numbers up to 4 only, by their exponent and mantissa.
  private static byte toE4m3(float value) {
    if (value == 0) {
      return 0;
    }
    int bits = Float.floatToRawIntBits(value);
    int exponent = Math.getExponent(value) + 7;
    return (byte) (((bits >>> 24) & 0x80) | (exponent << 3) | ((bits >>> 20) & 7));
  }

  static float[] download(DeviceBuffer buffer, ElementFormat format) {
    int count = (int) (buffer.numBytes() / format.numBytes());
    float[] values = new float[count];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(buffer.numBytes());
      buffer.copyTo(host, 0);
      for (int i = 0; i < count; i++) {
        values[i] =
            switch (format) {
              case F32 -> host.getAtIndex(ValueLayout.JAVA_FLOAT, i);
              case F16 -> Float.float16ToFloat(host.getAtIndex(ValueLayout.JAVA_SHORT, i));
              case BF16 -> Float.intBitsToFloat(host.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16);
              case E4M3, E5M2 -> throw new AssertionError("no FP8 output");
            };
      }
    }
    return values;
  }
}
