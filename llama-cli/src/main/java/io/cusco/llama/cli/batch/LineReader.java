package io.cusco.llama.cli.batch;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

/// Lines of a stream of any length, in constant memory: a line longer than the limit is passed over
/// without being kept. Owned by one thread.
final class LineReader {
  private static final int BUFFER_BYTES = 1 << 16;

  /// One line.
  ///
  /// @param number from 1
  /// @param bytes without the line end; empty if the line is too long
  /// @param isTooLong whether it is longer than the limit
  /// @param isWhole whether a line end follows; only the last line may lack one
  /// @param end bytes of the stream up to and including the line end
  record Line(long number, byte[] bytes, boolean isTooLong, boolean isWhole, long end) {
    boolean isBlank() {
      for (byte each : bytes) {
        if (each != ' ' && each != '\t' && each != '\r') {
          return false;
        }
      }
      return !isTooLong;
    }
  }

  private final InputStream in;
  private final int maxBytes;
  private final byte[] buffer = new byte[BUFFER_BYTES];
  private int position;
  private int limit;
  private long number;
  private long consumed;

  /// @param maxBytes the longest line that is kept
  LineReader(InputStream in, int maxBytes) {
    this.in = in;
    this.maxBytes = maxBytes;
  }

  /// The next line; null at the end. Blocks until a line is there.
  Line next() throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    boolean tooLong = false;
    boolean empty = true;
    while (true) {
      if (position == limit && !fill()) {
        return empty ? null : line(line, tooLong, false);
      }
      empty = false;
      int end = indexOfLineEnd();
      int length = end - position;
      tooLong |= line.size() + (long) length > maxBytes;
      if (tooLong) {
        line.reset();
      } else {
        line.write(buffer, position, length);
      }
      boolean found = end < limit;
      consumed += length + (found ? 1 : 0);
      position = end + (found ? 1 : 0);
      if (found) {
        return line(line, tooLong, true);
      }
    }
  }

  private Line line(ByteArrayOutputStream bytes, boolean tooLong, boolean whole) {
    return new Line(++number, bytes.toByteArray(), tooLong, whole, consumed);
  }

  private boolean fill() throws IOException {
    position = 0;
    limit = Math.max(in.read(buffer), 0);
    return limit > 0;
  }

  private int indexOfLineEnd() {
    for (int i = position; i < limit; i++) {
      if (buffer[i] == '\n') {
        return i;
      }
    }
    return limit;
  }
}
