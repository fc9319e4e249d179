package io.cusco.llama.cli;

import java.io.IOException;
import java.util.Locale;

/// A standard stream cannot be written to.
final class OutputException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  OutputException(IOException cause) {
    super("cannot write the output: " + cause.getMessage(), cause);
  }

  /// Whether the reader has gone, as `head` does when it has enough. The JDK gives only the
  /// system's text: EPIPE on Linux and macOS, ERROR_NO_DATA on Windows.
  boolean isBrokenPipe() {
    String message = String.valueOf(getCause().getMessage()).toLowerCase(Locale.ROOT);
    return message.contains("broken pipe") || message.contains("pipe is being closed");
  }
}
