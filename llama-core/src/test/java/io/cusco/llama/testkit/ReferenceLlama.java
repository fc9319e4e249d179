package io.cusco.llama.testkit;

import io.cusco.llama.backend.KvType;
import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.LlamaWeights.Linear;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.model.RotaryTable;
import io.cusco.llama.model.Stage;
import io.cusco.llama.model.StageProbe;
import java.util.Arrays;
import java.util.function.UnaryOperator;

/// The LLaMA forward pass written for reading: one sequence, no cache, no batch, double precision.
/// What every backend is compared with, stage by stage.
///
/// Source: Hugging Face `modeling_llama.py` and Meta's `model.py`, which compute the same function.
public final class ReferenceLlama {
  private final LlamaConfig config;
  private final LlamaWeights weights;
  private final double[] inverseFrequencies;
  private final StageProbe probe;
  private final KvType kvType;
  private final UnaryOperator<double[]> inputs;

  public ReferenceLlama(LlamaConfig config, LlamaWeights weights, StageProbe probe) {
    this(config, weights, probe, KvType.AUTO, UnaryOperator.identity());
  }

  public ReferenceLlama(LlamaConfig config, LlamaWeights weights, StageProbe probe, KvType kvType) {
    this(config, weights, probe, kvType, UnaryOperator.identity());
  }

  /// @param kvType with FP8, keys and values are rounded as such a cache does; else not at all
  /// @param inputs what a row becomes before a layer's matrices are multiplied with it; it is left
  ///   as it is
  public ReferenceLlama(
      LlamaConfig config,
      LlamaWeights weights,
      StageProbe probe,
      KvType kvType,
      UnaryOperator<double[]> inputs) {
    this.config = config;
    this.weights = weights;
    this.probe = probe;
    this.kvType = kvType;
    this.inputs = inputs;
    inverseFrequencies = RotaryTable.inverseFrequencies(config);
  }

  public ReferenceLlama(LlamaConfig config, LlamaWeights weights) {
    this(config, weights, KvType.AUTO);
  }

  public ReferenceLlama(LlamaConfig config, LlamaWeights weights, KvType kvType) {
    this(config, weights, (stage, layer, values, rows, width) -> {}, kvType);
  }

  /// Output of every position, `[tokenIds.length, numOutputs]`: logits, or scores.
  public double[][] forward(int... tokenIds) {
    double[][] logits = multiply(weights.head().orElseThrow(), hiddenStates(tokenIds));
    observe(Stage.LOGITS, -1, logits);
    return logits;
  }

  /// Final hidden states of every position, `[tokenIds.length, hiddenSize]`.
  public double[][] hiddenStates(int... tokenIds) {
    double[][] hidden = new double[tokenIds.length][];
    for (int token = 0; token < tokenIds.length; token++) {
      hidden[token] = row(weights.embedTokens(), tokenIds[token]);
    }
    observe(Stage.EMBED, -1, hidden);
    for (int layer = 0; layer < config.numLayers(); layer++) {
      attention(layer, hidden);
      feedForward(layer, hidden);
    }
    double[][] normed = rmsNorm(hidden, weights.norm());
    observe(Stage.FINAL_NORM, -1, normed);
    return normed;
  }

  private void attention(int index, double[][] hidden) {
    LlamaWeights.Layer layer = weights.layers().get(index);
    double[][] normed = rmsNorm(hidden, layer.inputNorm());
    observe(Stage.INPUT_NORM, index, normed);
    double[][] queries = project(layer.qProj(), normed);
    double[][] keys = project(layer.kProj(), normed);
    double[][] values = project(layer.vProj(), normed);
    observe(Stage.Q_PROJ, index, queries);
    observe(Stage.K_PROJ, index, keys);
    observe(Stage.V_PROJ, index, values);
    for (int position = 0; position < hidden.length; position++) {
      rotate(queries[position], config.numAttentionHeads(), position);
      rotate(keys[position], config.numKeyValueHeads(), position);
      if (kvType == KvType.FP8) {
        Fp8Rows.round(keys[position], config.headDim());
        Fp8Rows.round(values[position], config.headDim());
      }
    }
    observe(Stage.ROPE_Q, index, queries);
    double[][] attended = new double[hidden.length][config.queryWidth()];
    for (int position = 0; position < hidden.length; position++) {
      for (int head = 0; head < config.numAttentionHeads(); head++) {
        attend(head, position, queries, keys, values, attended[position]);
      }
    }
    observe(Stage.ATTENTION, index, attended);
    add(hidden, project(layer.oProj(), attended));
    observe(Stage.ATTENTION_RESIDUAL, index, hidden);
  }

  /// One query head over all earlier positions: softmax(q . k / sqrt(headDim)) v.
  private void attend(
      int head,
      int position,
      double[][] queries,
      double[][] keys,
      double[][] values,
      double[] out) {
    int headDim = config.headDim();
    int query = head * headDim;
    int keyValue = head / config.groupSize() * headDim;
    double[] scores = new double[position + 1];
    double maximum = Double.NEGATIVE_INFINITY;
    for (int p = 0; p <= position; p++) {
      for (int i = 0; i < headDim; i++) {
        scores[p] += queries[position][query + i] * keys[p][keyValue + i];
      }
      scores[p] /= Math.sqrt(headDim);
      maximum = Math.max(maximum, scores[p]);
    }
    double sum = 0;
    for (int p = 0; p <= position; p++) {
      scores[p] = Math.exp(scores[p] - maximum);
      sum += scores[p];
    }
    for (int p = 0; p <= position; p++) {
      for (int i = 0; i < headDim; i++) {
        out[query + i] += scores[p] / sum * values[p][keyValue + i];
      }
    }
  }

  private void feedForward(int index, double[][] hidden) {
    LlamaWeights.Layer layer = weights.layers().get(index);
    double[][] normed = rmsNorm(hidden, layer.postAttentionNorm());
    observe(Stage.POST_ATTENTION_NORM, index, normed);
    double[][] gate = project(layer.gateProj(), normed);
    double[][] up = project(layer.upProj(), normed);
    for (int token = 0; token < hidden.length; token++) {
      for (int i = 0; i < config.intermediateSize(); i++) {
        double g = gate[token][i];
        gate[token][i] = g / (1 + Math.exp(-g)) * up[token][i];
      }
    }
    observe(Stage.SILU_MUL, index, gate);
    add(hidden, project(layer.downProj(), gate));
    observe(Stage.FEED_FORWARD_RESIDUAL, index, hidden);
  }

  private double[][] rmsNorm(double[][] x, TensorView weight) {
    double[] scale = row(weight, 0);
    double[][] normed = new double[x.length][x[0].length];
    for (int token = 0; token < x.length; token++) {
      double sumOfSquares = 0;
      for (double value : x[token]) {
        sumOfSquares += value * value;
      }
      double root = Math.sqrt(sumOfSquares / x[token].length + config.rmsNormEps());
      for (int i = 0; i < scale.length; i++) {
        normed[token][i] = x[token][i] / root * scale[i];
      }
    }
    return normed;
  }

  private void rotate(double[] vector, int numHeads, int position) {
    int half = config.headDim() / 2;
    boolean interleaved = weights.rotaryLayout() == RotaryLayout.INTERLEAVED;
    for (int head = 0; head < numHeads; head++) {
      for (int i = 0; i < half; i++) {
        double angle = position * inverseFrequencies[i];
        int first = head * config.headDim() + (interleaved ? 2 * i : i);
        int second = interleaved ? first + 1 : first + half;
        double a = vector[first];
        double b = vector[second];
        vector[first] = a * Math.cos(angle) - b * Math.sin(angle);
        vector[second] = b * Math.cos(angle) + a * Math.sin(angle);
      }
    }
  }

  private double[][] project(Linear linear, double[][] x) {
    double[][] rows = new double[x.length][];
    Arrays.setAll(rows, token -> inputs.apply(x[token]));
    double[][] y = multiply(linear.weight(), rows);
    linear
        .bias()
        .ifPresent(bias -> {
          double[] values = row(bias, 0);
          for (double[] token : y) {
            for (int i = 0; i < values.length; i++) {
              token[i] += values[i];
            }
          }
        });
    return y;
  }

  private static double[][] multiply(TensorView weight, double[][] x) {
    double[][] y = new double[x.length][weight.rows()];
    for (int out = 0; out < weight.rows(); out++) {
      double[] w = row(weight, out);
      for (int token = 0; token < x.length; token++) {
        double sum = 0;
        for (int i = 0; i < w.length; i++) {
          sum += w[i] * x[token][i];
        }
        y[token][out] = sum;
      }
    }
    return y;
  }

  private static void add(double[][] x, double[][] y) {
    for (int token = 0; token < x.length; token++) {
      for (int i = 0; i < x[token].length; i++) {
        x[token][i] += y[token][i];
      }
    }
  }

  private static double[] row(TensorView tensor, int row) {
    float[] values = new float[tensor.columns()];
    BlockFormats.dequantizeRow(tensor, row, values);
    double[] wide = new double[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    return wide;
  }

  private void observe(Stage stage, int layer, double[][] values) {
    int width = values[0].length;
    float[] flat = new float[values.length * width];
    for (int row = 0; row < values.length; row++) {
      for (int i = 0; i < width; i++) {
        flat[row * width + i] = (float) values[row][i];
      }
    }
    probe.observe(stage, layer, flat, values.length, width);
  }
}
