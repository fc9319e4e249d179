package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;

/// Failures as one line for the user.
final class Failures {
  private Failures() {}

  /// Messages of our own exceptions are written for the user; of others the class says more than
  /// the message.
  static String describe(Throwable e) {
    return switch (e) {
      case LlamaException _, IllegalArgumentException _ -> firstLine(e.getMessage());
      case OutputException _ -> firstLine(e.getMessage());
      case UncheckedIOException unchecked -> describe(unchecked.getCause());
      case NoSuchFileException _ -> "no such file or folder: " + e.getMessage();
      case AccessDeniedException _ -> "access denied: " + e.getMessage();
      case CharacterCodingException _ -> "the text is not UTF-8";
      case IOException _ -> firstLine(e.getMessage());
      case OutOfMemoryError _ ->
          "out of memory (%s); the Java heap holds at most %d MB: give more with LLAMA_JAVA_OPTS=-Xmx8g"
              .formatted(e.getMessage(), Runtime.getRuntime().maxMemory() >> 20);
      default -> "internal error, --verbose shows where: " + firstLine(e.toString());
    };
  }

  static String firstLine(String message) {
    return message == null ? "no message" : message.lines().findFirst().orElse("");
  }
}
