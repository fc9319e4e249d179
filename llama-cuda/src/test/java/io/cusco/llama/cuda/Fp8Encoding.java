package io.cusco.llama.cuda;

import io.cusco.llama.cuda.emulator.E4m3;
import io.cusco.llama.testkit.Fp8Rows;

/// Rows of an FP8 cache as bytes, by way of [Fp8Rows].
final class Fp8Encoding {
  private Fp8Encoding() {}

  /// Every row's elements over its scale.
  static byte[] elements(float[] rows, int headDim) {
    byte[] bytes = new byte[rows.length];
    for (int from = 0; from < rows.length; from += headDim) {
      float scale = scaleOf(rows, from, headDim);
      for (int i = from; i < from + headDim; i++) {
        bytes[i] = (byte) E4m3.of(rows[i] / scale);
      }
    }
    return bytes;
  }

  /// A row's scale as a bfloat16.
  static byte[] scale(float[] rows, int from, int headDim) {
    return KernelDevice.encode(ActivationType.BF16, new float[] {scaleOf(rows, from, headDim)});
  }

  private static float scaleOf(float[] rows, int from, int headDim) {
    double[] row = new double[headDim];
    for (int i = 0; i < headDim; i++) {
      row[i] = rows[from + i];
    }
    return (float) Fp8Rows.scale(row, 0, headDim);
  }
}
