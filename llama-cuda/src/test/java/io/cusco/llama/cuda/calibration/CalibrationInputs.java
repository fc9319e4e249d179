package io.cusco.llama.cuda.calibration;

import io.cusco.llama.cuda.calibration.CalibrationForm.Cell;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SplittableRandom;

/// What a form is tried on: the values at which rules change, each first operand with a dozen
/// seconds, then random ones. The same rows for a form's name, whatever other forms there are.
final class CalibrationInputs {
  /// Rows per form: 32 warps.
  static final int ROWS = 1024;

  /// Rows at the end that are random whatever the number of edges.
  private static final int RANDOM_ROWS = 384;

  private static final long SEED = 0x5EED_CA11_B8A7_0001L;

  private static final long[] INTEGERS = {
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    31,
    32,
    33,
    63,
    64,
    65,
    127,
    128,
    255,
    256,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFF_FFFFL,
    0x8000_0000L,
    0xFFFF_FFFFL,
    0x1_0000_0000L,
    0x7FFF_FFFF_FFFF_FFFFL,
    0x8000_0000_0000_0000L,
    -1L,
    -2L,
    0x5555_5555_5555_5555L,
    0x0123_4567_89AB_CDEFL
  };

  /// Zeros, subnormals, both ends of the normal range, ties of rounding to integers, the limits of
  /// 8, 16, 24, 32 and 64-bit integers, infinities, NaN.
  private static final float[] FLOATS = {
    0f,
    Float.MIN_VALUE,
    0x1.fffffcp-127f,
    Float.MIN_NORMAL,
    0x1p-24f,
    0.5f,
    0x1.fffffep-1f,
    1f,
    0x1.000002p0f,
    1.5f,
    2.5f,
    3f,
    127f,
    127.5f,
    128f,
    255.5f,
    32767.5f,
    65504f,
    65520f,
    0x1.fffffep23f,
    0x1p24f,
    0x1p31f,
    0x1.fffffep31f,
    0x1p63f,
    0x1p64f,
    0x1p127f,
    Float.MAX_VALUE,
    Float.POSITIVE_INFINITY,
    Float.NaN
  };

  private CalibrationInputs() {}

  /// `ROWS` rows of `form.inputRowBytes()`.
  static byte[] of(CalibrationForm form) {
    SplittableRandom random =
        new SplittableRandom(SEED ^ (form.name().hashCode() * 0x9E37_79B9_7F4A_7C15L));
    ByteBuffer rows =
        ByteBuffer.allocate(ROWS * form.inputRowBytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (int row = 0; row < ROWS; row++) {
      for (int i = 0; i < form.inputs().size(); i++) {
        Cell cell = form.inputs().get(i);
        long[] edges = edges(cell);
        long value;
        if (row >= ROWS - RANDOM_ROWS || edges.length == 0) {
          value = random(cell, random);
        } else {
          value = edges[i == 0 ? row % edges.length : random.nextInt(edges.length)];
        }
        long mask = cell.numBytes() == 8 ? -1L : (1L << (cell.numBytes() * 8)) - 1;
        rows.putLong(value & mask);
      }
    }
    return rows.array();
  }

  private static long[] edges(Cell cell) {
    return switch (cell) {
      case B16, B32, B64 -> INTEGERS;
      case B8 -> new long[] {0, 1, 2, 31, 32, 33, 127, 128, 254, 255};
      case PREDICATE -> new long[] {0, 1};
      case F32 -> floatEdges(Float::floatToRawIntBits);
      case F64 -> doubleEdges();
      case F16 -> floatEdges(CalibrationInputs::half);
      case BF16 -> floatEdges(CalibrationInputs::bfloat16);
      case F16X2 -> floatEdges(value -> pair(half(value), half(1 - value)));
      case BF16X2 -> floatEdges(value -> pair(bfloat16(value), bfloat16(1 - value)));
      case BF16X2_NEAR_ONE,
          F16X2_NEAR_ONE,
          F32_NEAR_ONE,
          BF16X2_INTEGER,
          F16X2_INTEGER,
          F32_INTEGER ->
          new long[0];
    };
  }

  private interface Bits {
    int of(float value);
  }

  private static long[] floatEdges(Bits bits) {
    long[] edges = new long[2 * FLOATS.length];
    for (int i = 0; i < FLOATS.length; i++) {
      edges[2 * i] = bits.of(FLOATS[i]);
      edges[2 * i + 1] = bits.of(-FLOATS[i]);
    }
    return edges;
  }

  private static long[] doubleEdges() {
    long[] edges = new long[2 * FLOATS.length];
    for (int i = 0; i < FLOATS.length; i++) {
      edges[2 * i] = Double.doubleToRawLongBits(FLOATS[i]);
      edges[2 * i + 1] = Double.doubleToRawLongBits(-FLOATS[i]);
    }
    return edges;
  }

  private static long random(Cell cell, SplittableRandom random) {
    return switch (cell) {
      case B16, B32, B64, F16, BF16, F16X2, BF16X2 -> random.nextLong();
      case B8 -> random.nextInt(256);
      case PREDICATE -> random.nextInt(2);
      case F32 -> randomFloat(random);
      case F64 ->
          random.nextBoolean()
              ? random.nextLong()
              : Double.doubleToRawLongBits(
                  random.nextDouble(-1, 1) * Math.scalb(1.0, random.nextInt(-20, 70)));
      case BF16X2_NEAR_ONE -> pair(random.nextInt(0x3F00, 0x3F80), random.nextInt(0x3F00, 0x3F80));
      case F16X2_NEAR_ONE -> pair(random.nextInt(0x3800, 0x3C00), random.nextInt(0x3800, 0x3C00));
      case F32_NEAR_ONE -> Float.floatToRawIntBits((float) random.nextDouble(0.5, 8));
      case BF16X2_INTEGER -> pair(bfloat16(random.nextInt(-8, 9)), bfloat16(random.nextInt(-8, 9)));
      case F16X2_INTEGER -> pair(half(random.nextInt(-8, 9)), half(random.nextInt(-8, 9)));
      case F32_INTEGER -> Float.floatToRawIntBits(random.nextInt(-1000, 1001));
    };
  }

  private static int half(float value) {
    return Float.floatToFloat16(value) & 0xFFFF;
  }

  private static int bfloat16(float value) {
    return Float.floatToRawIntBits(value) >>> 16;
  }

  private static int pair(int low, int high) {
    return low | (high << 16);
  }

  /// A third each of any bits, of magnitudes that a network has, and of ties and their neighbours
  /// when narrowed to bf16 or f16.
  private static long randomFloat(SplittableRandom random) {
    int bits = random.nextInt();
    return switch (random.nextInt(3)) {
      case 0 -> bits;
      case 1 ->
          Float.floatToRawIntBits(
              (float) (random.nextDouble(-1, 1) * Math.scalb(1.0, random.nextInt(-10, 11))));
      default -> {
        int kept = random.nextBoolean() ? 16 : 13;
        int tie = 1 << (kept - 1);
        int exponent = random.nextInt(110, 140) << 23;
        int cut = ((bits & 0x807F_FFFF) | exponent) >>> kept << kept;
        yield cut | (tie + random.nextInt(-1, 2));
      }
    };
  }
}
