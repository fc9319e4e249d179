package io.cusco.llama.cli;

import io.cusco.llama.LlamaOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `llama inspect`: what a checkpoint is.
@Command(
    name = "inspect",
    description = "Show a checkpoint's config, tokenizer, chat format, tensors and memory needs.",
    sortOptions = false)
final class InspectCommand implements Callable<Integer> {
  private final CliContext context;

  @Mixin private ModelOption model;

  @Option(
      names = "--context-length",
      paramLabel = "N",
      description =
          "Positions to compute the KV cache's size for (default: as the other commands).")
  private Integer contextLength;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  InspectCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    Usage.require(
        contextLength == null || contextLength > 0,
        "--context-length must be 1 or more, got " + contextLength);
    try (Checkpoint checkpoint = model.open()) {
      int declared = checkpoint.config().maxPositionEmbeddings();
      int positions =
          contextLength != null
              ? contextLength
              : Math.min(declared, LlamaOptions.DEFAULT_MAX_CONTEXT);
      Inspection inspection = Inspection.of(checkpoint, positions);
      context.out().print(json ? inspection.toJson() + "\n" : inspection.toText());
    }
    return Main.OK;
  }
}
