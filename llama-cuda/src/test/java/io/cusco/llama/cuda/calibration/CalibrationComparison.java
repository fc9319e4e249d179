package io.cusco.llama.cuda.calibration;

import io.cusco.llama.cuda.calibration.CalibrationForm.Cell;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/// Two devices' answers to one form.
///
/// @param worstUlps the largest distance of two finite floats, in units of the last place
/// @param problem the first row beyond what the form allows, in words
record CalibrationComparison(long worstUlps, Optional<String> problem) {

  /// @param golden what hardware answered
  /// @param actual what is to be judged by it
  static CalibrationComparison of(CalibrationForm form, byte[] golden, byte[] actual) {
    ByteBuffer expected = ByteBuffer.wrap(golden).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer found = ByteBuffer.wrap(actual).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer inputs = ByteBuffer.wrap(CalibrationInputs.of(form)).order(ByteOrder.LITTLE_ENDIAN);
    long worst = 0;
    Optional<String> problem = Optional.empty();
    if (golden.length != actual.length) {
      problem =
          Optional.of("%d bytes recorded, %d produced".formatted(golden.length, actual.length));
      return new CalibrationComparison(0, problem);
    }
    for (int at = 0; at < golden.length; at += CalibrationForm.CELL_BYTES) {
      int cells = form.results().size();
      int row = at / CalibrationForm.CELL_BYTES / cells;
      Cell cell = form.results().get(at / CalibrationForm.CELL_BYTES % cells);
      long distance = distance(cell, expected.getLong(at), found.getLong(at));
      worst = Math.max(worst, distance);
      if (distance > form.ulps() && problem.isEmpty()) {
        problem =
            Optional.of(
                "%s, row %d, inputs %s: the GPU has %x, here %x (%d ulp, %d allowed)"
                    .formatted(
                        form.name(),
                        row,
                        hexRow(inputs, row * form.inputRowBytes(), form.inputs().size()),
                        expected.getLong(at),
                        found.getLong(at),
                        distance,
                        form.ulps()));
      }
    }
    return new CalibrationComparison(worst, problem);
  }

  /// Zero for equal bits; any two NaN are equal as floats, since no kernel may depend on which.
  private static long distance(Cell cell, long expected, long actual) {
    if (expected == actual) {
      return 0;
    }
    boolean same =
        switch (cell) {
          case F32, F32_NEAR_ONE, F32_INTEGER -> bothNan(float32(expected), float32(actual));
          case F64 -> bothNan(Double.longBitsToDouble(expected), Double.longBitsToDouble(actual));
          case F16 -> sameHalf(expected, actual);
          case BF16 -> sameBfloat16(expected, actual);
          case F16X2 -> sameHalf(expected, actual) && sameHalf(expected >>> 16, actual >>> 16);
          case BF16X2 ->
              sameBfloat16(expected, actual) && sameBfloat16(expected >>> 16, actual >>> 16);
          case PREDICATE,
              B8,
              B16,
              B32,
              B64,
              BF16X2_NEAR_ONE,
              F16X2_NEAR_ONE,
              BF16X2_INTEGER,
              F16X2_INTEGER ->
              false;
        };
    if (same) {
      return 0;
    }
    boolean comparable =
        cell.isFloat32() && !Float.isNaN(float32(expected)) && !Float.isNaN(float32(actual));
    return comparable ? Math.abs(ordered(expected) - ordered(actual)) : Long.MAX_VALUE;
  }

  private static boolean bothNan(double expected, double actual) {
    return Double.isNaN(expected) && Double.isNaN(actual);
  }

  private static float float32(long bits) {
    return Float.intBitsToFloat((int) bits);
  }

  private static boolean sameHalf(long expected, long actual) {
    return (short) expected == (short) actual
        || bothNan(Float.float16ToFloat((short) expected), Float.float16ToFloat((short) actual));
  }

  private static boolean sameBfloat16(long expected, long actual) {
    return (short) expected == (short) actual
        || bothNan(float32(expected << 16), float32(actual << 16));
  }

  /// Floats as integers in the same order, neighbours one apart, both zeros zero.
  private static long ordered(long bits) {
    int value = (int) bits;
    return value >= 0 ? value : -(long) (value & Integer.MAX_VALUE);
  }

  private static String hexRow(ByteBuffer inputs, int at, int cells) {
    StringBuilder text = new StringBuilder("[");
    for (int i = 0; i < cells; i++) {
      text.append(i == 0 ? "" : " ");
      text.append(Long.toHexString(inputs.getLong(at + i * CalibrationForm.CELL_BYTES)));
    }
    return text.append(']').toString();
  }
}
