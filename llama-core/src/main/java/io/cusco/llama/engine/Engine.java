package io.cusco.llama.engine;

import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.tokenizer.Tokenizer;
import java.util.List;
import java.util.Optional;

/// Continuous batching over one model.
public final class Engine implements AutoCloseable {

  /// @param tokenizer decodes text; without one, generations have ids only and stop strings are
  ///   refused
  /// @param endOfGeneration tokens that end a generation unless it ignores them
  public Engine(LlamaModel model, Optional<Tokenizer> tokenizer, List<Integer> endOfGeneration) {}

  /// Queues a request. Safe to call from any thread.
  ///
  /// @throws IllegalArgumentException if the request can never run: empty prompt, an id outside the
  ///   vocabulary, a prompt longer than the context
  public Generation submit(Request request) {
    return new Generation();
  }

  /// Cancels what runs and ends the engine thread; closes the model. Idempotent.
  @Override
  public void close() {}
}
