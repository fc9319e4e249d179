package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.DType;
import java.lang.foreign.MemorySegment;

/// Packed weights to float32 without vectors: core's reference decoder.
final class Widening {
  private Widening() {}

  static void widen(
      DType type, MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    BlockFormats.dequantize(type, weights, offset, out, outIndex, count);
  }
}
