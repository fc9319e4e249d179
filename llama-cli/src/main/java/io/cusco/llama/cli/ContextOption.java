package io.cusco.llama.cli;

import java.util.OptionalInt;
import picocli.CommandLine.Option;

/// `--context-length`.
final class ContextOption {
  @Option(
      names = "--context-length",
      paramLabel = "N",
      description = "Positions per sequence (default: the model's, at most 8192).")
  private Integer contextLength;

  OptionalInt contextLength() {
    Usage.require(
        contextLength == null || contextLength > 0,
        "--context-length must be 1 or more, got " + contextLength);
    return RunOptions.optional(contextLength);
  }
}
