package io.cusco.llama.cli;

import io.cusco.llama.model.LlamaModel;
import java.util.Arrays;

/// Drives a model through the seam, without engine and tokenizer, so that prefill and decode are
/// timed apart. Owned by one thread.
///
/// Prefill: `batch` prompts of `promptTokens`, packed into steps of the model's token budget.
/// Decode: `genTokens` steps of one token for each sequence, from a number of cached tokens on.
/// What the cache holds does not matter for the time, but that it was written does: warm up first.
final class BenchRun {
  private static final long WARM_UP_NANOS = 2_000_000_000;

  private final LlamaModel model;
  private final int batch;
  private final int promptTokens;
  private final int genTokens;
  private final int[] depths;
  private final boolean overlaps;
  private final BenchStep step;
  private final int[] nextTokenIds;
  private int steps;
  private int stepsWithLogits;

  /// @param depths the numbers of cached tokens that [#decode] will be called with
  /// @param overlaps whether to queue a decode step before the tokens of the last one are read; the
  ///   model has to be able to
  BenchRun(
      LlamaModel model,
      int batch,
      int promptTokens,
      int genTokens,
      int[] depths,
      boolean overlaps) {
    this.model = model;
    this.batch = batch;
    this.promptTokens = promptTokens;
    this.genTokens = genTokens;
    this.overlaps = overlaps;
    this.depths = depths;
    int maxDepth = Arrays.stream(depths).max().orElseThrow();
    int blocksPerSequence = model.kvCache().blocksFor(Math.max(promptTokens, maxDepth + genTokens));
    this.step =
        new BenchStep(
            model.limits(), model.kvCache(), blocksPerSequence, model.config().vocabSize());
    this.nextTokenIds = new int[batch];
  }

  /// Fills the cache and runs everything once, small models for longer: the JIT compiler wants some
  /// thousand calls. A backend that moves weights first gets the steps for it.
  void warmUp() {
    long end = System.nanoTime() + WARM_UP_NANOS;
    prefill();
    extend(promptTokens, Arrays.stream(depths).max().orElseThrow());
    while (true) {
      for (int depth : depths) {
        decode(depth);
      }
      if (System.nanoTime() < end) {
        prefill();
      } else if (model.isSettled()) {
        return;
      }
    }
  }

  /// Runs all prompts once.
  Prefill prefill() {
    steps = 0;
    stepsWithLogits = 0;
    long start = System.nanoTime();
    extend(0, promptTokens);
    return new Prefill(System.nanoTime() - start, steps, stepsWithLogits);
  }

  /// One prefill of all prompts.
  ///
  /// @param steps steps it took
  /// @param stepsWithLogits those among them that ended a prompt
  record Prefill(long nanos, int steps, int stepsWithLogits) {}

  /// @param depth tokens in the cache at the start
  /// @return nanoseconds for all steps
  long decode(int depth) {
    long start = System.nanoTime();
    for (int i = 0; i < genTokens; i++) {
      boolean drawing = overlaps && i > 0;
      step.fill(0, batch, depth + i, 1, true);
      if (drawing) {
        step.takeDrawn();
      }
      model.forward(step.input());
      if (drawing) {
        model.awaitTokens(step, nextTokenIds);
      }
      model.startSampling(step);
      if (!overlaps) {
        model.awaitTokens(step, nextTokenIds);
      }
    }
    if (overlaps) {
      model.awaitTokens(step, nextTokenIds);
    }
    return System.nanoTime() - start;
  }

  private void extend(int from, int to) {
    int budget = model.limits().maxTokens();
    int maxSequences = model.limits().maxSequences();
    int length = to - from;
    if (length <= 0) {
      return;
    }
    if (length >= budget) {
      for (int s = 0; s < batch; s++) {
        for (int position = from; position < to; position += budget) {
          int count = Math.min(budget, to - position);
          run(s, 1, position, count, position + count == to);
        }
      }
      return;
    }
    int together = Math.min(maxSequences, budget / length);
    for (int s = 0; s < batch; s += together) {
      run(s, Math.min(together, batch - s), from, length, true);
    }
  }

  private void run(int firstSequence, int sequences, int position, int count, boolean wantsLogits) {
    step.fill(firstSequence, sequences, position, count, wantsLogits);
    model.forward(step.input());
    model.sample(step, nextTokenIds);
    steps++;
    stepsWithLogits += wantsLogits ? 1 : 0;
  }
}
