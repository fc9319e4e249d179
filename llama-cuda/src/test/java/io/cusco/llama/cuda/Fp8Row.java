package io.cusco.llama.cuda;

import io.cusco.llama.cuda.emulator.E4m3;

/// What quantize_rows_fp8 makes of a row, in Java: the obvious twin.
///
/// @param codes e4m3
/// @param scale that the codes' values are multiplied with
record Fp8Row(byte[] codes, float scale) {
  static Fp8Row of(float[] row) {
    float largest = 0;
    for (float value : row) {
      largest = Math.abs(value) > largest ? Math.abs(value) : largest;
    }
    boolean zeros = largest < 1e-30f;
    float factor = zeros ? 0 : E4m3.MAX_VALUE / largest;
    byte[] codes = new byte[row.length];
    for (int i = 0; i < row.length; i++) {
      codes[i] = (byte) E4m3.of(row[i] * factor);
    }
    return new Fp8Row(codes, zeros ? 0 : largest / E4m3.MAX_VALUE);
  }

  /// The value that element `i` stands for.
  double value(int i) {
    return (double) E4m3.toFloat(codes[i]) * scale;
  }
}
