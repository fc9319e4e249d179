package io.cusco.llama.engine;

import java.util.List;

/// What became of one request of a [BatchRun].
public sealed interface Outcome {
  /// The request's place in the input, from 0.
  long index();

  Request request();

  /// It ran; also if it was cancelled or its time was up, see [Generation.Result#finishReason()].
  ///
  /// @param samples [Request#samples()] results, in order
  record Completed(long index, Request request, List<Generation.Result> samples)
      implements Outcome {
    public Completed {
      samples = List.copyOf(samples);
    }

    /// The first sample, and the only one unless the request asked for more.
    public Generation.Result result() {
      return samples.getFirst();
    }
  }

  /// It can never run, or it failed. One sample that fails fails the request and cancels the rest.
  ///
  /// @param failure an [IllegalArgumentException] if the request was refused, otherwise a
  ///   [io.cusco.llama.LlamaException]
  record Failed(long index, Request request, RuntimeException failure) implements Outcome {}
}
