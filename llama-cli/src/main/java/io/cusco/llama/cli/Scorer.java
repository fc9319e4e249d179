package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import io.cusco.llama.LlamaOptions;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.Backends;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.engine.Engine;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// Scores texts with one model, opened so that a step gives many rows of logits;
/// [io.cusco.llama.Llama] opens models for generation, where one row per sequence is enough.
final class Scorer implements AutoCloseable {
  /// Rows of logits per step are limited to this much memory.
  private static final long LOGITS_BYTES = 64 << 20;

  private static final SamplingParams GREEDY =
      SamplingParams.builder().temperature(0).logprobs(0).build();

  private final Checkpoint checkpoint;
  private final Backend backend;
  private final Engine engine;
  private final int contextLength;

  private Scorer(Checkpoint checkpoint, Backend backend, Engine engine, int contextLength) {
    this.checkpoint = checkpoint;
    this.backend = backend;
    this.engine = engine;
    this.contextLength = contextLength;
  }

  /// One scored input.
  ///
  /// @param logprobs natural-log probabilities of all tokens but the first
  /// @param greedy the most likely continuation, where asked for
  record Score(double[] logprobs, Optional<Generation.Result> greedy) {
    /// `exp` of the mean negative log-probability; NaN for a single token.
    double perplexity() {
      return Math.exp(-Arrays.stream(logprobs).average().orElse(Double.NaN));
    }
  }

  static Scorer open(
      CliContext terminal, ModelOption model, ContextOption contextOption, RunOptions run) {
    OptionalInt wantedContext = contextOption.contextLength();
    BackendOptions backendOptions = run.backendOptions();
    Checkpoint checkpoint = model.open();
    Backend backend = null;
    LlamaModel loaded = null;
    try {
      int context = contextLength(checkpoint, wantedContext);
      int rowBytes = Math.multiplyExact(checkpoint.config().vocabSize(), Float.BYTES);
      int rows = Math.clamp(LOGITS_BYTES / rowBytes, 1, ModelOptions.DEFAULT_MAX_TOKENS_PER_STEP);
      backend = Backends.open(run.backend(), backendOptions);
      ModelOptions options =
          new ModelOptions(
              run.compute(),
              context,
              ModelOptions.DEFAULT_MAX_TOKENS_PER_STEP,
              1,
              rows,
              ModelOptions.DEFAULT_KV_BLOCK_SIZE,
              OptionalInt.empty(),
              Optional.empty(),
              LoadProgress.NONE);
      try (ProgressBar bar = terminal.loadingBar()) {
        loaded =
            backend.load(
                checkpoint.config(),
                checkpoint.weights(),
                options
                    .withProgress(CliContext.loading(bar))
                    .withDeterministic(run.deterministic()));
      }
      Engine engine = new Engine(loaded, Optional.empty(), List.of());
      return new Scorer(checkpoint, backend, engine, context);
    } catch (RuntimeException | Error e) {
      if (loaded != null) {
        loaded.close();
      }
      if (backend != null) {
        backend.close();
      }
      checkpoint.close();
      throw e;
    }
  }

  private static int contextLength(Checkpoint checkpoint, OptionalInt wanted) {
    int declared = checkpoint.config().maxPositionEmbeddings();
    int context = wanted.orElse(Math.min(declared, LlamaOptions.DEFAULT_MAX_CONTEXT));
    if (context > declared) {
      throw new LlamaException(
          "%s: context length %d is more than the %d positions the model was made for"
              .formatted(checkpoint.source(), context, declared));
    }
    return context;
  }

  /// The ids of a text, begin-of-text first where the model wants it.
  int[] encode(String text) {
    Tokenizer tokenizer = checkpoint.tokenizer();
    int[] ids = tokenizer.encode(text);
    return tokenizer.specialTokens().addBos()
        ? TextInput.concat(new int[] {TextInput.bos(checkpoint)}, ids)
        : ids;
  }

  /// @param greedyTokens tokens of continuation; 0 for none
  /// @param file receives all logits; null for none
  Score score(int[] ids, int greedyTokens, LogitsFile file) {
    if (greedyTokens > 0 && ids.length + (long) greedyTokens - 1 > contextLength) {
      throw new LlamaException(
          "%d tokens and %d greedy ones do not fit into a context of %d"
              .formatted(ids.length, greedyTokens, contextLength));
    }
    double[] logprobs = new double[Math.max(ids.length - 1, 0)];
    engine.score(
        ids,
        (position, logits) -> {
          if (position < logprobs.length) {
            logprobs[position] = logprob(logits, ids[position + 1], position);
          }
          if (file != null) {
            file.write(logits);
          }
        });
    if (greedyTokens == 0) {
      return new Score(logprobs, Optional.empty());
    }
    StopConditions stop = new StopConditions(greedyTokens, List.of(), List.of(), true);
    try (Generation generation = engine.submit(new Request(ids, GREEDY, stop))) {
      return new Score(logprobs, Optional.of(generation.await()));
    }
  }

  /// `log softmax(logits)[id]`, in double precision, shifted by the largest so that nothing
  /// overflows.
  ///
  /// @param position of the row, for the message
  /// @throws LlamaException if a logit is NaN or positive infinity
  static double logprob(float[] logits, int id, int position) {
    float max = Float.NEGATIVE_INFINITY;
    for (float logit : logits) {
      max = Math.max(max, logit);
    }
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp((double) logit - max);
    }
    if (!Double.isFinite(sum)) {
      throw new LlamaException(
          "the logits of position %d are not finite: the weights hold values that are not finite,"
                  .formatted(position)
              + " or the arithmetic overflowed; check the file, or try --compute f32");
    }
    return (double) logits[id] - max - Math.log(sum);
  }

  @Override
  public void close() {
    engine.close();
    backend.close();
    checkpoint.close();
  }
}
