package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.OutputHead;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Finds every tensor of the network by role and checks its shape against the config.
final class WeightAssembler {

  /// Which projections must have a bias; the others have one where the file has the tensor.
  record RequiredBiases(boolean attention, boolean feedForward) {
    static final RequiredBiases NONE = new RequiredBiases(false, false);
  }

  private final String source;
  private final LlamaConfig config;
  private final TensorNames names;
  private final RequiredBiases requiredBiases;

  WeightAssembler(
      String source, LlamaConfig config, TensorNames names, RequiredBiases requiredBiases) {
    this.source = source;
    this.config = config;
    this.names = names;
    this.requiredBiases = requiredBiases;
  }

  /// @throws CheckpointException if a tensor is missing or has another shape than the config says
  LlamaWeights assemble(TensorTable tensors) {
    TensorView embedTokens = embedding(tensors, names.embedTokens());
    // One layer at a time, so that a config which claims 2^31 layers fails at the first absent one.
    List<LlamaWeights.Layer> layers = new ArrayList<>();
    for (int layer = 0; layer < config.numLayers(); layer++) {
      layers.add(layer(tensors, names.layerPrefix().formatted(layer)));
    }
    TensorView norm = vector(tensors, names.norm() + TensorNames.WEIGHT, config.hiddenSize());
    return new LlamaWeights(
        embedTokens, layers, norm, head(tensors, embedTokens), names.rotaryLayout());
  }

  private Optional<TensorView> head(TensorTable tensors, TensorView embedTokens) {
    return switch (config.head()) {
      case OutputHead.Vocabulary _ ->
          Optional.of(
              config.tieWordEmbeddings() ? embedTokens : embedding(tensors, names.lmHead()));
      case OutputHead.Scores scores ->
          Optional.of(
              tensors.require(
                  source,
                  TensorNames.SCORE + TensorNames.WEIGHT,
                  scores.labels().size(),
                  config.hiddenSize()));
      case OutputHead.None _ -> Optional.empty();
    };
  }

  private LlamaWeights.Layer layer(TensorTable tensors, String prefix) {
    int hidden = config.hiddenSize();
    int intermediate = config.intermediateSize();
    int query = config.queryWidth();
    int keyValue = config.keyValueWidth();
    boolean attentionBias = requiredBiases.attention;
    boolean feedForwardBias = requiredBiases.feedForward;
    return new LlamaWeights.Layer(
        vector(tensors, prefix + names.inputNorm() + TensorNames.WEIGHT, hidden),
        linear(tensors, prefix + names.qProj(), query, hidden, attentionBias),
        linear(tensors, prefix + names.kProj(), keyValue, hidden, attentionBias),
        linear(tensors, prefix + names.vProj(), keyValue, hidden, attentionBias),
        linear(tensors, prefix + names.oProj(), hidden, query, attentionBias),
        vector(tensors, prefix + names.postAttentionNorm() + TensorNames.WEIGHT, hidden),
        linear(tensors, prefix + names.gateProj(), intermediate, hidden, feedForwardBias),
        linear(tensors, prefix + names.upProj(), intermediate, hidden, feedForwardBias),
        linear(tensors, prefix + names.downProj(), hidden, intermediate, feedForwardBias));
  }

  private TensorView embedding(TensorTable tensors, String name) {
    return tensors.require(
        source, name + TensorNames.WEIGHT, config.vocabSize(), config.hiddenSize());
  }

  private LlamaWeights.Linear linear(
      TensorTable tensors, String name, int outFeatures, int inFeatures, boolean biasRequired) {
    TensorView weight = tensors.require(source, name + TensorNames.WEIGHT, outFeatures, inFeatures);
    String biasName = name + TensorNames.BIAS;
    if (!biasRequired && tensors.find(biasName).isEmpty()) {
      return new LlamaWeights.Linear(weight, Optional.empty());
    }
    return new LlamaWeights.Linear(weight, Optional.of(vector(tensors, biasName, outFeatures)));
  }

  private TensorView vector(TensorTable tensors, String name, int length) {
    TensorView vector = tensors.require(source, name, length);
    if (!vector.dtype().isFloat()) {
      throw new CheckpointException(
          "%s: tensor %s is stored as %s; norms and biases must be F32, F16 or BF16"
              .formatted(source, name, vector.dtype()));
    }
    return vector;
  }
}
