package io.cusco.llama.cli.openai;

import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import java.util.List;

/// One API request that was understood: what to hand to the engine, and how to answer with what
/// comes back. Immutable; safe for use by several threads.
public sealed interface Completion permits ChatCompletion, TextCompletion {
  /// One engine request for each prompt, in order; each asks for as many samples as the prompt has
  /// choices in the answer.
  List<Request> requests();

  /// The body of the answer.
  ///
  /// @param id the answer's id
  /// @param createdSeconds since the epoch
  /// @param results the samples of all [#requests()], one request's after another's
  String body(String id, long createdSeconds, List<Generation.Result> results);

  /// What the answer cost.
  ///
  /// @param results as in [#body]
  Usage usage(List<Generation.Result> results);
}
