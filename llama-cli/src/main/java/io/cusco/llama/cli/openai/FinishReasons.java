package io.cusco.llama.cli.openai;

import io.cusco.llama.engine.Generation;
import java.util.Optional;

/// Why a generation ended, in the API's words.
final class FinishReasons {
  private FinishReasons() {}

  /// @param shown empty if moderation holds it back
  static String name(Optional<Generation.Result> shown) {
    return shown.map(FinishReasons::name).orElse("content_filter");
  }

  /// @throws IllegalStateException if it was cancelled: there is no word for it, and no answer
  static String name(Generation.Result result) {
    return switch (result.finishReason()) {
      case STOP -> "stop";
      case LENGTH, TIMEOUT -> "length";
      case CANCELLED, ERROR ->
          throw new IllegalStateException("no answer is made of " + result.finishReason());
    };
  }
}
