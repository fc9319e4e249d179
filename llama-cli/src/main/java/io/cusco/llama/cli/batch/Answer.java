package io.cusco.llama.cli.batch;

import io.cusco.llama.cli.openai.ApiAnswer;
import io.cusco.llama.cli.openai.ApiRequest;

/// What became of one line of the input.
///
/// Lines that get one are numbered from 0 in the order of the input.
sealed interface Answer {
  long index();

  /// It never reached the engine.
  ///
  /// @param line the result line
  record Refused(long index, String line) implements Answer {}

  /// The engine is done with it.
  record Computed(long index, String customId, ApiAnswer answer) implements Answer {}

  /// The engine failed at it.
  ///
  /// @param attempt from 1
  record Failed(long index, String customId, ApiRequest request, int attempt, Throwable failure)
      implements Answer {}

  /// There are no more lines: not an answer, but in the same queue.
  ///
  /// @param index how many answers there are
  /// @param failure what ended the input; null if it was its end
  record End(long index, Exception failure) implements Answer {}
}
