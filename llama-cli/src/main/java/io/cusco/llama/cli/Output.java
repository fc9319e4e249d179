package io.cusco.llama.cli;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;

/// Text to a standard stream, always UTF-8, whatever the locale. Unlike `PrintStream` it tells when
/// the reader has gone or the disk is full. Safe for use by several threads: logging writes from
/// the engine's.
final class Output {
  private final OutputStream bytes;

  Output(OutputStream bytes) {
    this.bytes = new BufferedOutputStream(bytes);
  }

  /// Writes `text`; it may stay in the buffer until [#flush()].
  ///
  /// @throws OutputException if the stream cannot be written to
  synchronized void print(String text) {
    try {
      bytes.write(text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new OutputException(e);
    }
  }

  /// Writes `text` and a line end, and flushes.
  synchronized void line(String text) {
    print(text);
    print("\n");
    flush();
  }

  synchronized void flush() {
    try {
      bytes.flush();
    } catch (IOException e) {
      throw new OutputException(e);
    }
  }

  void stackTrace(Throwable e) {
    StringWriter trace = new StringWriter();
    e.printStackTrace(new PrintWriter(trace, true));
    print(trace.toString());
    flush();
  }

  /// The same stream for a library that wants a writer.
  Writer asWriter() {
    return new OutputStreamWriter(
        new OutputStream() {
          @Override
          public void write(int value) throws IOException {
            bytes.write(value);
          }

          @Override
          public void write(byte[] buffer, int offset, int length) throws IOException {
            bytes.write(buffer, offset, length);
          }

          @Override
          public void flush() throws IOException {
            bytes.flush();
          }
        },
        StandardCharsets.UTF_8);
  }
}
