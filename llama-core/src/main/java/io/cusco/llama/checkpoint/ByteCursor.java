package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/// Reads a little-endian header front to back and refuses to pass the end. Owned by one thread.
///
/// Numbers are put together from a window of the header on the heap: a vocabulary has some hundred
/// thousand lengths, read before the compiler has seen the code, and an access to a segment is many
/// calls until then.
final class ByteCursor {
  private static final int WINDOW_BYTES = 8192;

  private final String file;
  private final MemorySegment bytes;
  private final byte[] window;
  private long windowStart;
  private int windowLength;
  private long position;

  ByteCursor(String file, MemorySegment bytes, long position) {
    this.file = file;
    this.bytes = bytes;
    this.position = position;
    window = new byte[Math.clamp(bytes.byteSize() - position, Long.BYTES, WINDOW_BYTES)];
  }

  long position() {
    return position;
  }

  long remaining() {
    return bytes.byteSize() - position;
  }

  int unsignedByte(String what) {
    return window[advanceInWindow(1, what)] & 0xFF;
  }

  int unsignedShort(String what) {
    int at = advanceInWindow(2, what);
    return (window[at] & 0xFF) | (window[at + 1] & 0xFF) << 8;
  }

  int int32(String what) {
    return int32(window, advanceInWindow(4, what));
  }

  long unsignedInt(String what) {
    return int32(what) & 0xFFFF_FFFFL;
  }

  long int64(String what) {
    int at = advanceInWindow(8, what);
    return (int32(window, at) & 0xFFFF_FFFFL) | (long) int32(window, at + 4) << 32;
  }

  static int int32(byte[] bytes, int at) {
    return (bytes[at] & 0xFF)
        | (bytes[at + 1] & 0xFF) << 8
        | (bytes[at + 2] & 0xFF) << 16
        | bytes[at + 3] << 24;
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

  /// As [#advance] for a few bytes; gives where they start in the window.
  private int advanceInWindow(int numBytes, String what) {
    long start = advance(numBytes, what);
    if (start < windowStart || start + numBytes > windowStart + windowLength) {
      windowStart = start;
      windowLength = (int) Math.min(window.length, bytes.byteSize() - start);
      MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, start, window, 0, windowLength);
    }
    return (int) (start - windowStart);
  }
}
