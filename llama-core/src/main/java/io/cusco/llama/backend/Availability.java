package io.cusco.llama.backend;

/// Whether a backend can run here.
public sealed interface Availability {
  /// @param description the device in a few words
  record Available(String description) implements Availability {}

  /// @param reason one sentence: what is missing and how to get it
  record Unavailable(String reason) implements Availability {}
}
