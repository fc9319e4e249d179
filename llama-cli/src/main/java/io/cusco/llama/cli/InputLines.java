package io.cusco.llama.cli;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Optional;

/// The lines of a stream as bytes, each as soon as its end is there. Blank ones are skipped. Owned
/// by one thread.
final class InputLines {
  private final InputStream in;
  private long number;

  InputLines(InputStream in) {
    this.in = new BufferedInputStream(in);
  }

  /// The number of the line given out last, from 1, blank ones counted.
  long number() {
    return number;
  }

  /// The next line that is not blank, without its line feed; empty at the end.
  Optional<byte[]> next() {
    try {
      ByteArrayOutputStream line = new ByteArrayOutputStream();
      boolean blank = true;
      for (int b = in.read(); b >= 0; b = in.read()) {
        if (b != '\n') {
          blank &= b <= ' ';
          line.write(b);
          continue;
        }
        number++;
        if (!blank) {
          return Optional.of(line.toByteArray());
        }
        line.reset();
      }
      number++;
      return blank ? Optional.empty() : Optional.of(line.toByteArray());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
