package io.cusco.llama.cli.openai;

/// The answer to an [ApiRequest].
public interface ApiAnswer {
  /// The body of the response.
  ///
  /// @param id the answer's id
  /// @param createdSeconds since the epoch
  String body(String id, long createdSeconds);

  /// What the answer cost.
  Usage usage();
}
