package io.cusco.llama.cpu.kernels;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// How numbers lie in memory: checkpoints are little-endian and blocks need not be aligned;
/// activations are the machine's own aligned floats.
final class Layouts {
  static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT;
  static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
  static final ValueLayout.OfInt INT_LE =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfFloat FLOAT_LE =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfShort SHORT_LE =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private Layouts() {}

  /// Sixteen bits, little-endian, from two bytes. The accessor for unaligned shorts is a method
  /// that the compiler inlines only if it looks hot enough; left as a call in a loop it costs more
  /// than the rest of the loop.
  static short shortAt(MemorySegment segment, long offset) {
    return (short) ((segment.get(BYTE, offset) & 0xff) | (segment.get(BYTE, offset + 1) << 8));
  }
}
