package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// Reads a little-endian header front to back and refuses to pass the end. Owned by one thread.
final class ByteCursor {
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final String file;
  private final MemorySegment bytes;
  private long position;

  ByteCursor(String file, MemorySegment bytes, long position) {
    this.file = file;
    this.bytes = bytes;
    this.position = position;
  }

  long position() {
    return position;
  }

  long remaining() {
    return bytes.byteSize() - position;
  }

  int unsignedByte(String what) {
    return bytes.get(ValueLayout.JAVA_BYTE, advance(1, what)) & 0xFF;
  }

  int unsignedShort(String what) {
    return bytes.get(BlockFormats.SHORT, advance(2, what)) & 0xFFFF;
  }

  int int32(String what) {
    return bytes.get(BlockFormats.INT, advance(4, what));
  }

  long unsignedInt(String what) {
    return int32(what) & 0xFFFF_FFFFL;
  }

  long int64(String what) {
    return bytes.get(LONG, advance(8, what));
  }

  /// A run of `numBytes` bytes, copied.
  byte[] bytes(int numBytes, String what) {
    long start = advance(numBytes, what); // before the allocation: a hostile length ends here
    byte[] copy = new byte[numBytes];
    MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, start, copy, 0, numBytes);
    return copy;
  }

  /// A string with a 64-bit length before it, as GGUF stores them; malformed UTF-8 becomes U+FFFD.
  String string(String what) {
    return new String(bytes(stringLength(what), what), StandardCharsets.UTF_8);
  }

  void skipString(String what) {
    advance(stringLength(what), what);
  }

  void skip(long numBytes, String what) {
    advance(numBytes, what);
  }

  private int stringLength(String what) {
    long length = int64(what);
    if (length < 0 || length > Integer.MAX_VALUE) {
      throw new CheckpointException(
          "%s: %s: string length %s is not plausible; the file is damaged"
              .formatted(file, what, Long.toUnsignedString(length)));
    }
    return (int) length;
  }

  /// Moves past `numBytes` bytes and gives where they start.
  private long advance(long numBytes, String what) {
    if (numBytes < 0 || numBytes > bytes.byteSize() - position) {
      throw new CheckpointException(
          "%s: truncated: %s needs %d bytes at offset %d, the file ends at %d; fetch it again"
              .formatted(file, what, numBytes, position, bytes.byteSize()));
    }
    long start = position;
    position += numBytes;
    return start;
  }
}
