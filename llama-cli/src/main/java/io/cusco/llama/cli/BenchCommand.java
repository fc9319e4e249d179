package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.Backends;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.SyntheticCheckpoint;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.model.LlamaModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `llama bench`: how fast a model runs, against what the machine can do.
@Command(
    name = "bench",
    description = "Measure prefill and decode, and what the machine can do at most.",
    sortOptions = false)
final class BenchCommand implements Callable<Integer> {
  /// Set by the launcher to the commit that it stands in.
  static final String COMMIT_PROPERTY = "llama.commit";

  private static final String DEFAULT_SYNTHETIC_TYPE = "q8_0";
  private static final int DEFAULT_PROMPT_TOKENS = 512;

  private final CliContext context;

  @Mixin private ModelOption model;

  @Option(
      names = "--synthetic",
      paramLabel = "NAME",
      description = "Instead of -m: true shapes with random weights, such as llama-3.2-1b.")
  private String synthetic;

  @Option(
      names = "--dtype",
      paramLabel = "T",
      description =
          "Type of synthetic weights: f32, f16, bf16, q8_0, q4_0, q4_k, ... (default: q8_0).")
  private String dtype;

  @Option(
      names = "--save",
      paramLabel = "FILE.gguf",
      description = {
        "Keep the synthetic model as a GGUF file, replacing an earlier one, and measure that file,",
        "mapped, instead of weights in memory."
      })
  private Path save;

  @Option(
      names = "--prompt-tokens",
      paramLabel = "N",
      description = "Tokens of each prompt (default: 512, or what the model has room for).")
  private Integer promptTokens;

  @Option(
      names = "--gen-tokens",
      paramLabel = "N",
      defaultValue = "128",
      description = "Tokens to decode for each sequence (default: ${DEFAULT-VALUE}).")
  private int genTokens;

  @Option(
      names = "--batch",
      paramLabel = "1,8,64",
      split = ",",
      defaultValue = "1",
      description = "Sequences at a time; one prefill row and its decode rows each (default: 1).")
  private int[] batches;

  @Option(
      names = {"--depth", "--context"},
      paramLabel = "0,2048",
      split = ",",
      description =
          "Tokens in the cache when decoding starts; one decode row each (default: those of the prompt).")
  private int[] depths;

  @Option(
      names = "--repeat",
      paramLabel = "N",
      defaultValue = "5",
      description = "Measurements per row, after a warm-up (default: ${DEFAULT-VALUE}).")
  private int repeat;

  @Option(
      names = "--compare",
      paramLabel = "FILE",
      description = {
        "Lines that `bench --json` printed earlier: after the run, set its rows beside them, each",
        "with the share of its own run's ceilings (with --json: on stderr)."
      })
  private Path compare;

  @Mixin private RunOptions run;

  @Option(
      names = "--overlap",
      paramLabel = "ON|OFF",
      defaultValue = "on",
      converter = EngineSwitches.SwitchConverter.class,
      description = {
        "On a GPU, queue each decoded token's step before the token before it is read (default:",
        "${DEFAULT-VALUE})."
      })
  private EngineSwitches.Switch overlap;

  @Option(names = "--json", description = "Print one JSON object per row.")
  private boolean json;

  BenchCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    checkOptions();
    BenchBaseline baseline = compare == null ? null : BenchBaseline.read(compare);
    List<BenchRow> rows = new ArrayList<>();
    try (Checkpoint checkpoint = open()) {
      measure(checkpoint, rows);
    }
    if (baseline != null) {
      Output output = json ? context.err() : context.out();
      output.line((json ? "" : "\n") + baseline.table(rows));
    }
    return Main.OK;
  }

  private Checkpoint open() {
    if (synthetic == null) {
      return model.open();
    }
    String type = dtype == null ? DEFAULT_SYNTHETIC_TYPE : dtype;
    SyntheticCheckpoint checkpoint = Usage.check(() -> SyntheticCheckpoint.open(synthetic, type));
    BenchCosts.requireMemory(checkpoint.config(), DType.valueOf(type.toUpperCase(Locale.ROOT)));
    return save == null ? checkpoint : saved(checkpoint);
  }

  /// Writes the model and opens what was written in its place.
  private Checkpoint saved(SyntheticCheckpoint checkpoint) {
    try (checkpoint) {
      checkpoint.writeGguf(save);
    } catch (IOException e) {
      throw new LlamaException("cannot write %s: %s".formatted(save, Failures.describe(e)), e);
    }
    return Checkpoint.open(save);
  }

  private void checkOptions() {
    Usage.require(synthetic == null || !model.isGiven(), "--synthetic and -m exclude each other");
    Usage.require(
        synthetic != null || dtype == null, "--dtype is for --synthetic; a checkpoint has its own");
    Usage.require(synthetic != null || save == null, "--save is for --synthetic");
    Usage.require(
        (promptTokens == null || promptTokens > 0) && genTokens > 0 && repeat > 0,
        "--prompt-tokens, --gen-tokens and --repeat must be 1 or more");
    Usage.require(
        batches.length > 0 && Arrays.stream(batches).allMatch(b -> b > 0),
        "--batch needs numbers of 1 or more");
    Usage.require(
        depths == null || (depths.length > 0 && Arrays.stream(depths).allMatch(d -> d >= 0)),
        "--depth needs numbers of 0 or more");
  }

  /// Prints each row once it is measured, and adds it to `rows`.
  private void measure(Checkpoint checkpoint, List<BenchRow> rows) {
    String name = synthetic == null ? checkpoint.modelName() : synthetic;
    LlamaConfig config = checkpoint.config();
    LlamaWeights weights = checkpoint.weights();
    if (promptTokens == null) {
      long room = (long) config.maxPositionEmbeddings() - genTokens;
      promptTokens = room > 0 && room < DEFAULT_PROMPT_TOKENS ? (int) room : DEFAULT_PROMPT_TOKENS;
    }
    int[] decodeDepths = depths == null ? new int[] {promptTokens} : depths;
    int maxDepth = Arrays.stream(decodeDepths).max().orElseThrow();
    long needed = Math.max(promptTokens, (long) maxDepth + genTokens);
    if (needed > config.maxPositionEmbeddings()) {
      throw new LlamaException(
          "%s has %d positions; the prompt, or the depth and the tokens to decode, need %d"
              .formatted(name, config.maxPositionEmbeddings(), needed));
    }
    int length = (int) needed;
    int maxBatch = Arrays.stream(batches).max().orElseThrow();
    int blockSize = ModelOptions.DEFAULT_KV_BLOCK_SIZE;
    ModelOptions options =
        new ModelOptions(
            run.compute(),
            length,
            Math.max(ModelOptions.DEFAULT_MAX_TOKENS_PER_STEP, maxBatch),
            maxBatch,
            maxBatch,
            blockSize,
            OptionalInt.of(Math.multiplyExact(maxBatch, Math.ceilDiv(length, blockSize))),
            Optional.empty(),
            LoadProgress.NONE);
    try (Backend backend = Backends.open(run.backend(), run.backendOptions())) {
      long start = System.nanoTime();
      try (LlamaModel loaded = load(backend, config, weights, options)) {
        double loadMillis = (System.nanoTime() - start) / 1e6;
        BenchCosts costs = new BenchCosts(config, weights, run.compute(), run.kvType());
        BenchRow.Subject subject =
            new BenchRow.Subject(
                name,
                BenchCosts.mainType(weights, run.compute()),
                backend.name(),
                backend.device(),
                backend.threads(),
                loadMillis,
                loaded.copiedWeightBytes(),
                run.deterministic(),
                run.kvType().name().toLowerCase(Locale.ROOT),
                overlap == EngineSwitches.Switch.ON && loaded.overlapsSteps(),
                System.getProperty(COMMIT_PROPERTY, "unknown"));
        // Host probes say nothing about another device, nor about scalar code.
        boolean probes = backend.name().equals("cpu") && Diagnosis.hasVectorApi();
        Ceilings ceilings = probes ? Ceilings.measure(backend.threads()) : null;
        if (!json) {
          printHead(subject, ceilings);
        }
        for (int batch : batches) {
          BenchRun bench =
              new BenchRun(
                  loaded, batch, promptTokens, genTokens, decodeDepths, subject.overlaps());
          rows.addAll(rows(subject, ceilings, costs, bench, batch, decodeDepths));
        }
      }
    }
  }

  private LlamaModel load(
      Backend backend, LlamaConfig config, LlamaWeights weights, ModelOptions options) {
    try (ProgressBar bar = context.loadingBar()) {
      return backend.load(
          config,
          weights,
          options
              .withProgress(CliContext.loading(bar))
              .withDeterministic(run.deterministic())
              .withKvType(run.kvType()));
    }
  }

  private List<BenchRow> rows(
      BenchRow.Subject subject,
      Ceilings ceilings,
      BenchCosts costs,
      BenchRun bench,
      int batch,
      int[] decodeDepths) {
    double[] prefill = new double[repeat];
    double[][] decode = new double[decodeDepths.length][repeat];
    BenchRun.Prefill prefilled = null;
    try (ProgressBar progress = context.progress("batch " + batch, repeat)) {
      bench.warmUp();
      for (int i = 0; i < repeat; i++) {
        prefilled = bench.prefill();
        prefill[i] = prefilled.nanos() / 1e9;
        for (int d = 0; d < decodeDepths.length; d++) {
          decode[d][i] = bench.decode(decodeDepths[d]) / 1e9;
        }
        progress.advance();
      }
    }
    List<BenchRow> rows = new ArrayList<>();
    rows.add(
        new BenchRow(
            subject,
            BenchRow.PREFILL,
            batch,
            0,
            (long) batch * promptTokens,
            prefill,
            costs.prefillBytes(prefilled, batch, promptTokens),
            costs.prefillFlops(batch, promptTokens),
            ceilings));
    for (int d = 0; d < decodeDepths.length; d++) {
      rows.add(
          new BenchRow(
              subject,
              BenchRow.DECODE,
              batch,
              decodeDepths[d],
              (long) batch * genTokens,
              decode[d],
              costs.decodeBytes(batch, decodeDepths[d], genTokens),
              costs.decodeFlops(batch, decodeDepths[d], genTokens),
              ceilings));
    }
    rows.forEach(row -> context.out().line(json ? row.toJson() : row.toText()));
    return rows;
  }

  private void printHead(BenchRow.Subject subject, Ceilings ceilings) {
    context
        .err()
        .line("%s: %s; commit %s".formatted(subject.backend(), subject.device(), subject.commit()));
    if (subject.copiedWeightBytes() > 0) {
      context.err().line("copied weights: %s".formatted(Units.bytes(subject.copiedWeightBytes())));
    }
    if (ceilings != null) {
      context
          .err()
          .line(
              String.format(
                  Locale.ROOT,
                  "ceilings: reading %s/s (decode), %.1f GFLOP/s of f32 (prefill)",
                  Units.bytes(ceilings.readBytesPerSecond()),
                  ceilings.flopsPerSecond() / 1e9));
    }
    context.out().line(BenchRow.header());
  }
}
