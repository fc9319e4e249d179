package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.driver.CudaException;
import io.cusco.llama.cuda.driver.CudaOutOfMemoryException;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.sampling.SamplingParams;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;

/// Steps of whole models through [LlamaModel], forward pass and greedy draw, by the wall clock:
/// decoding (D1, D2, D3; with FP8 weights and cache D4) and prompts (P1). Weights are random, of
/// true shapes; the cache is filled by prompts, so that attention reads keys as a network makes
/// them.
final class ModelBenchmark {
  private final Backend backend;
  private final Sizes sizes;
  private final Optional<Roofline> roofline;
  private final TimeShare share;
  private final Consumer<Measurement> found;

  /// @param roofline of this GPU in this run, if its ceilings are known
  /// @param found gets each row as soon as it is measured
  ModelBenchmark(
      Backend backend,
      Sizes sizes,
      Optional<Roofline> roofline,
      TimeShare share,
      Consumer<Measurement> found) {
    this.backend = backend;
    this.sizes = sizes;
    this.roofline = roofline;
    this.share = share;
    this.found = found;
  }

  /// A model and what is asked of it.
  ///
  /// @param name "8B"
  /// @param compute [ComputeMode#AUTO], which is BF16, or FP8
  /// @param alone id of the row for one sequence
  /// @param together id of the rows for many
  /// @param batches of those
  record Model(
      String name,
      ComputeMode compute,
      KvType kvType,
      LlamaConfig config,
      String alone,
      String together,
      List<Integer> batches) {
    boolean fp8() {
      return compute == ComputeMode.FP8;
    }

    /// "8B BF16", "8B FP8, FP8 KV".
    String title() {
      return name + (fp8() ? " FP8" : " BF16") + (kvType == KvType.FP8 ? ", FP8 KV" : "");
    }

    String rowName(int batch, int context) {
      return "%s, batch %d, context %d".formatted(title(), batch, context);
    }
  }

  /// @param context keys that a decoded token sees
  /// @param prompt tokens of a prompt of P1
  /// @param stepTokens tokens of a step of prompts
  /// @param decodeRuns timed steps that decode
  /// @param prefillRuns timed steps over prompts
  record Sizes(
      List<Model> models,
      int context,
      int prompt,
      int stepTokens,
      int warmUps,
      int decodeRuns,
      int prefillRuns) {}

  /// A model that fails gets a row that says so, and the others are measured.
  ///
  /// @return whether none failed; a GPU too small for a model is a finding
  boolean measure() {
    boolean allRan = true;
    for (Model model : sizes.models) {
      try {
        measure(model);
      } catch (RuntimeException e) {
        boolean finding =
            e instanceof CudaOutOfMemoryException
                || (e instanceof LlamaException && !(e instanceof CudaException));
        if (!finding) {
          e.printStackTrace();
          allRan = false;
        }
        missing(model.alone, model.title(), (finding ? "" : "failed: ") + e.getMessage());
      }
    }
    return allRan;
  }

  private void measure(Model shape) {
    if (share.isSpent()) {
      missing(shape.alone, shape.rowName(1, sizes.context), share.leaveOut());
      return;
    }
    int most = shape.batches.stream().mapToInt(Integer::intValue).max().orElse(1);
    try (SharedWeights weights = new SharedWeights(shape.config);
        LlamaModel model = backend.load(shape.config, weights.weights(), options(shape, most))) {
      decode(model, shape, shape.alone, 1);
      for (int batch : shape.batches) {
        decode(model, shape, shape.together, batch);
      }
      if (!shape.batches.isEmpty()) {
        prefill(model, shape);
      }
    }
  }

  private ModelOptions options(Model shape, int maxSequences) {
    return new ModelOptions(
            shape.compute,
            Math.max(sizes.context, sizes.prompt),
            sizes.stepTokens,
            maxSequences,
            maxSequences,
            ModelOptions.DEFAULT_KV_BLOCK_SIZE,
            OptionalInt.empty(),
            Optional.empty(),
            LoadProgress.NONE)
        .withKvType(shape.kvType);
  }

  private void decode(LlamaModel model, Model shape, String id, int batch) {
    String name = shape.rowName(batch, sizes.context);
    int needed = batch * model.kvCache().blocksFor(sizes.context);
    if (needed > model.kvCache().numBlocks()) {
      missing(
          id,
          name,
          "needs %d KV blocks, beside the model there is room for %d"
              .formatted(needed, model.kvCache().numBlocks()));
      return;
    }
    if (!fill(model, batch)) {
      missing(id, name, share.leaveOut());
      return;
    }
    StepInput step =
        BenchmarkStep.of(
            model.kvCache(), shape.config.vocabSize(), batch, 0, batch, sizes.context - 1, 1);
    Timing timing = time(model, step, sizes.decodeRuns);
    Measurement measured = Measurement.of(id, name, "wall", timing, batch, "tokens/s");
    found.accept(
        withRoofline(
            measured,
            roofline(shape)
                .map(r ->
                    r.decodeSeconds(shape.config, shape.fp8(), shape.kvType, batch, sizes.context)),
            timing));
  }

  /// Brings prompts of the context's length into the cache, as many at once as a step holds.
  ///
  /// @return false if the share was spent on the way
  private boolean fill(LlamaModel model, int batch) {
    int tokens = sizes.context - 1;
    int atOnce = Math.max(1, Math.min(batch, sizes.stepTokens / tokens));
    int vocabSize = model.config().vocabSize();
    for (int first = 0; first < batch; first += atOnce) {
      if (share.isSpent()) {
        return false;
      }
      int count = Math.min(atOnce, batch - first);
      run(model, BenchmarkStep.of(model.kvCache(), vocabSize, batch, first, count, 0, tokens));
    }
    return !share.isSpent();
  }

  private void prefill(LlamaModel model, Model shape) {
    int prompts = Math.max(1, sizes.stepTokens / sizes.prompt);
    String name = "%s, %d prompts of %d in a step".formatted(shape.title(), prompts, sizes.prompt);
    int needed = prompts * model.kvCache().blocksFor(sizes.prompt);
    if (share.isSpent() || needed > model.kvCache().numBlocks()) {
      missing("P1", name, share.isSpent() ? share.leaveOut() : "no room in the KV cache");
      return;
    }
    StepInput step =
        BenchmarkStep.of(
            model.kvCache(), shape.config.vocabSize(), prompts, 0, prompts, 0, sizes.prompt);
    Timing timing = time(model, step, sizes.prefillRuns);
    Measurement measured =
        Measurement.of("P1", name, "wall", timing, prompts * (double) sizes.prompt, "tokens/s");
    found.accept(
        withRoofline(
            measured,
            roofline(shape)
                .map(r -> r.prefillSeconds(shape.config, shape.fp8(), prompts, sizes.prompt)),
            timing));
  }

  private Optional<Roofline> roofline(Model shape) {
    return roofline.filter(r -> !shape.fp8() || r.fp8Rate() > 0);
  }

  private Timing time(LlamaModel model, StepInput step, int runs) {
    BenchmarkDraws draws = new BenchmarkDraws(step.numLogits(), SamplingParams.GREEDY);
    int[] ids = new int[step.numLogits()];
    Timing timing =
        Timing.wall(
            () -> {
              model.forward(step);
              model.sample(draws, ids);
            },
            sizes.warmUps,
            runs,
            share);
    requireTokens(ids, model.config().vocabSize());
    return timing;
  }

  private static void run(LlamaModel model, StepInput step) {
    int[] ids = new int[step.numLogits()];
    model.forward(step);
    model.sample(new BenchmarkDraws(step.numLogits(), SamplingParams.GREEDY), ids);
    requireTokens(ids, model.config().vocabSize());
  }

  /// A step over NaN is fast too.
  private static void requireTokens(int[] ids, int vocabSize) {
    for (int id : ids) {
      if (id < 0 || id >= vocabSize) {
        throw new IllegalStateException(
            "a row of logits gave token %d: the benchmark's network does not work".formatted(id));
      }
    }
  }

  private static Measurement withRoofline(
      Measurement measured, Optional<Double> best, Timing timing) {
    return best.map(seconds -> measured.percent("roofline", 100 * seconds / timing.median()))
        .orElse(measured);
  }

  private void missing(String id, String name, String problem) {
    found.accept(Measurement.missing(id, name, problem));
  }
}
