package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.backend.KvType;
import io.cusco.llama.config.LlamaConfig;

/// The time below which no implementation gets a step, from what the same GPU reached at copying
/// and multiplying: matrices take the longer of reading them and multiplying with them, attention
/// is added. What is small against these (norms, activations, sampling) counts as free.
///
/// All values are of two bytes, but for the layers' matrices and the cache where they are FP8.
///
/// @param copyRate bytes per second, read and written
/// @param productRate FLOP per second of a product of two-byte values
/// @param fp8Rate FLOP per second of a product of FP8 values; 0 where it is not known
record Roofline(double copyRate, double productRate, double fp8Rate) {
  private static final int VALUE_BYTES = 2;

  /// Seconds of a step that gives each of `batch` sequences one token; each then sees `context`
  /// keys, which are read.
  double decodeSeconds(LlamaConfig config, boolean fp8, KvType kvType, int batch, int context) {
    double keyValueBytes =
        (double) batch
            * context
            * 2
            * config.numKeyValueHeads()
            * config.numLayers()
            * rowBytes(config.headDim(), kvType);
    return layerSeconds(config, fp8, batch)
        + matrixSeconds(headParameters(config), batch)
        + keyValueBytes / copyRate;
  }

  /// Seconds of a step over `prompts` prompts of `length` tokens, of whose last tokens alone logits
  /// are wanted. Attention multiplies: a token with the keys up to its own, and their values.
  double prefillSeconds(LlamaConfig config, boolean fp8, int prompts, int length) {
    return layerSeconds(config, fp8, (double) prompts * length)
        + matrixSeconds(headParameters(config), prompts)
        + config.numLayers()
            * prompts
            * attentionFlops(config.numAttentionHeads(), config.headDim(), length)
            / productRate;
  }

  /// Bytes of a head's key or value of one token; one in FP8 has a scale of two bytes.
  static int rowBytes(int headDim, KvType kvType) {
    return switch (kvType) {
      case AUTO -> headDim * VALUE_BYTES;
      case FP8 -> headDim + VALUE_BYTES;
    };
  }

  /// FLOP of causal attention in one layer over one prompt.
  static double attentionFlops(int heads, int headDim, int length) {
    double pairs = 0.5 * length * (length + 1.0);
    return 4 * pairs * heads * headDim;
  }

  private double layerSeconds(LlamaConfig config, boolean fp8, double rows) {
    double parameters = layerParameters(config);
    return fp8
        ? Math.max(parameters / copyRate, 2 * rows * parameters / fp8Rate)
        : matrixSeconds(parameters, rows);
  }

  private double matrixSeconds(double parameters, double rows) {
    return Math.max(parameters * VALUE_BYTES / copyRate, 2 * rows * parameters / productRate);
  }

  private static double layerParameters(LlamaConfig config) {
    double hidden = config.hiddenSize();
    double attention = hidden * (2.0 * config.queryWidth() + 2.0 * config.keyValueWidth());
    double feedForward = 3 * hidden * config.intermediateSize();
    return config.numLayers() * (attention + feedForward);
  }

  private static double headParameters(LlamaConfig config) {
    return (double) config.vocabSize() * config.hiddenSize();
  }
}
