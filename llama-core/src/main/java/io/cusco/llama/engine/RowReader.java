package io.cusco.llama.engine;

import io.cusco.llama.LlamaException;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.sampling.Sampler;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.ArrayList;
import java.util.List;

/// What is taken from the rows of a text that is read, see [ReadTask]; used by the engine thread.
///
/// @param <T> what it makes of them
interface RowReader<T> {
  /// Takes rows of the step just run.
  ///
  /// @param row the first one's index into [io.cusco.llama.model.StepInput#logitTokens()]
  /// @param count how many there are, of neighbouring tokens
  /// @param position position of the first one's token
  void read(LlamaModel model, int row, int count, int position);

  /// What they came to, after the last one.
  T result();

  /// Hands every row of logits to `sink`.
  static RowReader<Void> logits(LlamaConfig config, LogitsSink sink) {
    float[] logits = new float[config.numOutputs()];
    return new RowReader<>() {
      @Override
      public void read(LlamaModel model, int row, int count, int position) {
        for (int i = 0; i < count; i++) {
          model.copyLogits(row + i, logits);
          deliver(position + i);
        }
      }

      private void deliver(int position) {
        try {
          sink.accept(position, logits);
        } catch (Exception | Error e) {
          // The caller's code, so the caller's failure: it must not end the engine. Checked ones
          // come from languages that do not declare them.
          throw new LlamaException("the sink failed at position %d: %s".formatted(position, e), e);
        }
      }

      @Override
      public Void result() {
        return null;
      }
    };
  }

  /// The output of the last token.
  static RowReader<float[]> lastOutput(LlamaConfig config) {
    float[] output = new float[config.numOutputs()];
    return new RowReader<>() {
      @Override
      public void read(LlamaModel model, int row, int count, int position) {
        model.copyLogits(row + count - 1, output);
      }

      @Override
      public float[] result() {
        return requireFinite("score", output);
      }
    };
  }

  /// The hidden states of the last token.
  static RowReader<float[]> lastHiddenStates(LlamaConfig config, EmbeddingParams params) {
    float[] hiddenStates = new float[config.hiddenSize()];
    return new RowReader<>() {
      @Override
      public void read(LlamaModel model, int row, int count, int position) {
        model.copyHiddenStates(row + count - 1, 1, hiddenStates);
      }

      @Override
      public float[] result() {
        return params.finish(requireFinite("hidden state", hiddenStates));
      }
    };
  }

  /// The mean of the hidden states of all tokens.
  static RowReader<float[]> meanHiddenStates(LlamaConfig config, EmbeddingParams params) {
    int width = config.hiddenSize();
    double[] sums = new double[width];
    return new RowReader<>() {
      private int numRows;

      @Override
      public void read(LlamaModel model, int row, int count, int position) {
        float[] rows = new float[Math.multiplyExact(count, width)];
        model.copyHiddenStates(row, count, rows);
        for (int i = 0; i < rows.length; i++) {
          sums[i % width] += rows[i];
        }
        numRows += count;
      }

      @Override
      public float[] result() {
        float[] mean = new float[width];
        for (int i = 0; i < width; i++) {
          mean[i] = (float) (sums[i] / numRows);
        }
        return params.finish(requireFinite("mean hidden state", mean));
      }
    };
  }

  /// How likely each token but the first is after those before it.
  ///
  /// @param top how many alternatives are reported with each
  static RowReader<List<TokenLogprobs>> logprobs(LlamaConfig config, int[] ids, int top) {
    float[] logits = new float[config.numOutputs()];
    Sampler sampler = new Sampler(logits.length);
    List<TokenLogprobs> logprobs = new ArrayList<>(ids.length - 1);
    return new RowReader<>() {
      @Override
      public void read(LlamaModel model, int row, int count, int position) {
        for (int i = 0; i < count && position + i + 1 < ids.length; i++) {
          model.copyLogits(row + i, logits);
          requireFinite("logit", logits);
          logprobs.add(sampler.logprobs(logits, ids[position + i + 1], top));
        }
      }

      @Override
      public List<TokenLogprobs> result() {
        return List.copyOf(logprobs);
      }
    };
  }

  private static float[] requireFinite(String what, float[] values) {
    for (int i = 0; i < values.length; i++) {
      if (!Float.isFinite(values[i])) {
        throw new LlamaException(
            "%s %d of %d is %s; the weights hold values that are not finite, or the arithmetic"
                    .formatted(what, i, values.length, values[i])
                + " overflowed: check the file, or use the exact compute mode");
      }
    }
    return values;
  }
}
