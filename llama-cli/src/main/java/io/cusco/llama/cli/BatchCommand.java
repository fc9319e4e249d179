package io.cusco.llama.cli;

import io.cusco.llama.Llama;
import io.cusco.llama.cli.batch.BatchJob;
import io.cusco.llama.cli.batch.BatchSummary;
import io.cusco.llama.cli.batch.JobOptions;
import io.cusco.llama.cli.openai.Engines;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `llama batch`: a file of requests in, a file of results out.
@Command(
    name = "batch",
    description = {
      "Answer a file of requests, in the form of OpenAI's batches: one",
      "{\"custom_id\",\"method\":\"POST\",\"url\",\"body\"} per line, for /v1/chat/completions,",
      "/v1/completions and /v1/embeddings. A line that cannot be answered gets an error line, and the",
      "exit code is 1."
    },
    sortOptions = false)
final class BatchCommand implements Callable<Integer> {
  private static final String STANDARD_STREAM = "-";

  /// When results are written.
  enum Order {
    INPUT,
    COMPLETION
  }

  /// What a guard checks.
  enum GuardStage {
    BEFORE,
    AFTER,
    BOTH
  }

  private final CliContext context;

  @Option(
      names = {"-i", "--input"},
      required = true,
      paramLabel = "FILE",
      description = "The requests, JSON lines; - is stdin.")
  private String input;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "FILE",
      description = "The results, JSON lines; - is stdout. An existing file needs --resume.")
  private String output;

  @Option(
      names = "--resume",
      description = {
        "Go on with an output that an earlier run left, however it ended: what it answers is",
        "skipped, by custom_id, failures too."
      })
  private boolean resume;

  @Option(
      names = "--order",
      paramLabel = "ORDER",
      defaultValue = "input",
      converter = OrderConverter.class,
      description = "Write results in the order of the input (default), or of their completion.")
  private Order order;

  @Option(
      names = "--max-concurrent",
      paramLabel = "N",
      defaultValue = "32",
      description = "Sequences that are computed at the same time (default: ${DEFAULT-VALUE}).")
  private int maxConcurrent;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = {
        "With their custom_id the seed of requests that state none: same file, same results",
        "(default: a random one; --verbose tells it)."
      })
  private Long seed;

  @Option(
      names = "--reward-model",
      paramLabel = "MODEL",
      description = {
        "Has a reward model (a LlamaForSequenceClassification folder) rank the candidates of",
        "requests with best_of; without one the mean log-probability of their tokens does."
      })
  private String rewardModel;

  @Option(
      names = "--guard-model",
      paramLabel = "MODEL",
      description = {
        "Has a Llama Guard check prompts and answers of completions. What is unsafe is held back:",
        "finish_reason is \"content_filter\", and \"moderation\" says why."
      })
  private String guardModel;

  @Option(
      names = "--guard",
      paramLabel = "WHEN",
      converter = GuardStageConverter.class,
      description = "Check prompts (before), answers (after), or both (default).")
  private GuardStage guardStage;

  @Option(
      names = "--guard-categories",
      paramLabel = "FILE",
      description = {
        "What the guard looks for: a line \"S1: Name.\" for each category, and lines that describe",
        "it below (default: what its version was trained on)."
      })
  private Path guardCategories;

  @Mixin private ModelOption model;
  @Mixin private RunOptions run;
  @Mixin private ContextOption contextOption;
  @Mixin private EngineSwitches switches;
  @Mixin JsonOnly jsonOnly;

  BatchCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    Usage.require(!input.isEmpty(), "--input names no file");
    Usage.require(!output.isEmpty(), "--output names no file");
    Usage.require(maxConcurrent > 0, "--max-concurrent must be 1 or more, got " + maxConcurrent);
    Usage.require(
        !resume || !output.equals(STANDARD_STREAM),
        "--resume reads what the output has, which stdout cannot give back; name a file");
    Usage.require(
        guardModel != null || (guardStage == null && guardCategories == null),
        "--guard and --guard-categories say what a guard model does; name it with --guard-model");
    JobOptions options =
        new JobOptions(
            file(input),
            file(output),
            resume,
            order == Order.INPUT,
            maxConcurrent,
            seed == null ? new SplittableRandom().nextInt(Integer.MAX_VALUE) : seed);
    if (context.verbose()) {
      context.err().line("llama: --seed " + options.seed());
    }
    try (BatchJob job =
        BatchJob.open(
            options,
            context.in(),
            line -> {
              context.out().print(new String(line, StandardCharsets.UTF_8));
              context.out().flush();
            })) {
      return answer(job);
    }
  }

  private SideModels openSideModels() {
    return SideModels.open(
        new SideModels.Opener(context, run, contextOption),
        Optional.ofNullable(rewardModel),
        Optional.ofNullable(guardModel),
        guardStage == null ? GuardStage.BOTH : guardStage,
        Optional.ofNullable(guardCategories));
  }

  private int answer(BatchJob job) {
    // The models beside the main one first: on a GPU its KV cache takes what memory they leave.
    try (SideModels side = openSideModels();
        Llama llama = run.open(context, model, contextOption, maxConcurrent, switches)) {
      Engines engines = side.with(llama);
      long lines = context.terminals().err() ? job.countLines() : 0;
      BatchSummary summary;
      try (ProgressBar bar = context.progress("requests", lines)) {
        Thread farewell = new Thread(() -> sayGoodbye(job, bar), "llama-batch-end");
        Runtime.getRuntime().addShutdownHook(farewell);
        try {
          summary = job.run(engines, (soFar, rate) -> show(bar, soFar, lines, rate));
        } finally {
          removeHook(farewell);
        }
      }
      context.err().line("llama: " + summary);
      return summary.hasFailures() ? Main.FAILED : Main.OK;
    }
  }

  /// Ctrl-C and the like: the line under way is finished, and nothing follows it.
  private void sayGoodbye(BatchJob job, ProgressBar bar) {
    job.stop();
    bar.close();
    context
        .err()
        .line("llama: stopped after %s; --resume goes on from here".formatted(job.summary()));
  }

  private static void removeHook(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is on its way down, and the hook runs.
      return;
    }
  }

  private static void show(ProgressBar bar, BatchSummary soFar, long lines, double rate) {
    bar.show(
        soFar.answered(),
        Math.max(lines - soFar.skipped(), 0),
        String.format(Locale.ROOT, "%.1f tokens/s", rate));
  }

  private static Optional<Path> file(String name) {
    return name.equals(STANDARD_STREAM) ? Optional.empty() : Optional.of(Path.of(name));
  }

  static final class GuardStageConverter implements picocli.CommandLine.ITypeConverter<GuardStage> {
    @Override
    public GuardStage convert(String text) {
      return switch (text.toLowerCase(Locale.ROOT)) {
        case "before" -> GuardStage.BEFORE;
        case "after" -> GuardStage.AFTER;
        case "both" -> GuardStage.BOTH;
        default ->
            throw new picocli.CommandLine.TypeConversionException("expected before, after or both");
      };
    }
  }

  static final class OrderConverter implements picocli.CommandLine.ITypeConverter<Order> {
    @Override
    public Order convert(String text) {
      return switch (text.toLowerCase(Locale.ROOT)) {
        case "input" -> Order.INPUT;
        case "completion" -> Order.COMPLETION;
        default ->
            throw new picocli.CommandLine.TypeConversionException("expected input or completion");
      };
    }
  }
}
