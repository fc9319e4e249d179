package io.cusco.llama.cpu;

import io.cusco.llama.sampling.Sampler;
import io.cusco.llama.sampling.SamplingStep;
import java.util.Objects;

/// Draws the tokens of a step, a row of logits a task.
///
/// Owned by the thread that runs the forward pass.
final class StepSampler {
  /// Copies a row of logits.
  @FunctionalInterface
  interface Rows {
    void copy(int row, float[] logits);
  }

  private final WorkerPool pool;
  private final Rows rows;
  private final int vocabSize;
  private final Sampler[] samplers;
  private final float[][] logits;
  private final int[] ids;
  private final WorkerPool.Phase phase = this::sampleRow;

  private SamplingStep step;

  /// @param maxDraws tokens in one step
  StepSampler(WorkerPool pool, Rows rows, int vocabSize, int maxDraws) {
    this.pool = pool;
    this.rows = rows;
    this.vocabSize = vocabSize;
    samplers = new Sampler[pool.numThreads()];
    logits = new float[pool.numThreads()][];
    ids = new int[maxDraws];
  }

  /// @throws IndexOutOfBoundsException if the step has more draws than there are logits
  void run(SamplingStep step) {
    Objects.checkFromIndexSize(0, step.size(), ids.length);
    this.step = step;
    pool.run(phase, step.size());
  }

  /// What [#run] drew, in the order of the step.
  void copyIds(int count, int[] out) {
    System.arraycopy(ids, 0, out, 0, count);
  }

  private void sampleRow(int index, int worker) {
    if (samplers[worker] == null) { // as large as the vocabulary: made where they are used
      samplers[worker] = new Sampler(vocabSize);
      logits[worker] = new float[vocabSize];
    }
    Sampler sampler = samplers[worker];
    float[] row = logits[worker];
    rows.copy(step.logitsRow(index), row);
    int id = sampler.sample(row, step.params(index), step.history(index), step.uniform(index));
    ids[index] = id;
    if (id != SamplingStep.NO_TOKEN && step.params(index).wantsLogprobs()) {
      step.acceptLogprobs(index, sampler.logprobs(row, id, step.params(index).logprobs()));
    }
  }
}
