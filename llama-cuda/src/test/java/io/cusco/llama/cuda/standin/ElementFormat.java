package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_NOT_SUPPORTED;

import io.cusco.llama.cuda.bindings.cublas.Cublas;
import io.cusco.llama.cuda.emulator.DeviceRange;
import io.cusco.llama.cuda.emulator.E4m3;

/// The cudaDataType of a matrix: how its elements lie in memory. Values are computed with as
/// float32.
enum ElementFormat {
  F32(Cublas.CUDA_R_32F(), 4),
  F16(Cublas.CUDA_R_16F(), 2),
  BF16(Cublas.CUDA_R_16BF(), 2),
  E4M3(Cublas.CUDA_R_8F_E4M3(), 1),
  E5M2(Cublas.CUDA_R_8F_E5M2(), 1);

  private final int code;
  private final int numBytes;

  ElementFormat(int code, int numBytes) {
    this.code = code;
    this.numBytes = numBytes;
  }

  static ElementFormat of(int code) {
    for (ElementFormat format : values()) {
      if (format.code == code) {
        return format;
      }
    }
    throw new StandInFault(
        CUBLAS_STATUS_NOT_SUPPORTED, "cudaDataType %s is not emulated".formatted(code));
  }

  int code() {
    return code;
  }

  int numBytes() {
    return numBytes;
  }

  boolean isFp8() {
    return this == E4M3 || this == E5M2;
  }

  /// Reads `count` consecutive elements.
  ///
  /// @param offset in elements from the start of the range
  void read(DeviceRange range, long offset, float[] into, int at, int count) {
    switch (this) {
      case F32 -> range.getFloats(4 * offset, into, at, count);
      case BF16 -> range.getBfloat16s(2 * offset, into, at, count);
      case F16 -> {
        for (int i = 0; i < count; i++) {
          into[at + i] = Float.float16ToFloat(range.getShort(2 * (offset + i)));
        }
      }
      case E4M3 -> {
        for (int i = 0; i < count; i++) {
          into[at + i] = E4m3.toFloat(range.getByte(offset + i));
        }
      }
      case E5M2 -> {
        for (int i = 0; i < count; i++) {
          // The upper half of a float16.
          into[at + i] = Float.float16ToFloat((short) (range.getByte(offset + i) << 8));
        }
      }
    }
  }

  float read(DeviceRange range, long offset) {
    float[] one = new float[1];
    read(range, offset, one, 0, 1);
    return one[0];
  }

  /// Writes one element, rounded to nearest, ties to even. There is no FP8 output.
  void write(DeviceRange range, long offset, float value) {
    switch (this) {
      case F32 -> range.setFloat(4 * offset, value);
      case F16 -> range.setShort(2 * offset, Float.floatToFloat16(value));
      case BF16 -> range.setShort(2 * offset, toBfloat16(value));
      case E4M3, E5M2 ->
          throw new StandInFault(CUBLAS_STATUS_NOT_SUPPORTED, this + " as output is not emulated");
    }
  }

  static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return 0x7fff;
    }
    return (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16);
  }

  /// Rounds to the 10 bits of mantissa that TensorFloat-32 keeps.
  static float toTensorFloat32(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (!Float.isFinite(value)) {
      return value;
    }
    return Float.intBitsToFloat((bits + 0xfff + (bits >>> 13 & 1)) & ~0x1fff);
  }
}
