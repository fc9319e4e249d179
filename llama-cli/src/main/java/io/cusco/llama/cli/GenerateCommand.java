package io.cusco.llama.cli;

import io.cusco.llama.Llama;
import io.cusco.llama.cli.PromptOptions.Prompt;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `llama generate`: continues one prompt.
@Command(
    name = "generate",
    description = "Continue a prompt; the continuation is streamed to stdout.",
    sortOptions = false)
final class GenerateCommand implements Callable<Integer> {
  private final CliContext context;

  @Mixin private PromptOptions promptOptions;
  @Mixin private ModelOption model;
  @Mixin private SamplingOptions samplingOptions;
  @Mixin private RunOptions run;
  @Mixin private ContextOption contextOption;
  @Mixin private EngineSwitches switches;

  @Option(names = "--json", description = "Print one JSON object instead of the text.")
  private boolean json;

  GenerateCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    Usage.require(json || !samplingOptions.wantsLogprobs(), "--logprobs needs --json");
    SamplingParams sampling = samplingOptions.params();
    StopConditions stop = samplingOptions.stopConditions();
    Prompt prompt = promptOptions.read(context);
    long startNanos = System.nanoTime();
    try (Llama llama = run.open(context, model, contextOption, 1, switches)) {
      long loadNanos = System.nanoTime() - startNanos;
      Generation.Result result;
      try (Generation generation =
          llama.submit(new Request(prompt.encode(llama), sampling, stop))) {
        if (!json) {
          new TextStream(context.out(), llama).print(generation);
          context.out().line("");
        }
        result = generation.await();
      }
      GenerationReport report = new GenerationReport(result, sampling, loadNanos);
      if (json) {
        context.out().line(report.toJson(llama));
      }
      if (context.verbose() || context.terminals().err()) {
        context.err().line(report.summary());
      }
    }
    return Main.OK;
  }
}
