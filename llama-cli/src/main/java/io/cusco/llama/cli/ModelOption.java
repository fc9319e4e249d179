package io.cusco.llama.cli;

import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.cli.demo.DemoModel;
import picocli.CommandLine.Option;

/// `-m`: which checkpoint.
final class ModelOption {
  @Option(
      names = {"-m", "--model"},
      paramLabel = "MODEL",
      description = {
        "A .gguf file, a Hugging Face folder, a Meta folder, or org/repo[:file] from the local",
        "Hugging Face cache. Left out: the bundled demo model."
      })
  private String model;

  /// Opens the checkpoint; the caller closes it.
  Checkpoint open() {
    return model == null
        ? DemoModel.open()
        : Checkpoint.open(ModelResolver.ofSystem().resolve(model));
  }

  boolean isGiven() {
    return model != null;
  }
}
