package io.cusco.llama.config;

/// What a model of the LLaMA family is: every number the forward pass needs, as the checkpoint
/// states it. Names follow Hugging Face's `LlamaConfig`.
///
/// @param hiddenSize width of the residual stream
/// @param intermediateSize width of the feed-forward layer
/// @param numLayers decoder blocks
/// @param numAttentionHeads query heads
/// @param numKeyValueHeads key/value heads; equal to `numAttentionHeads` for MHA, 1 for MQA
/// @param headDim width of one head, even; not always `hiddenSize / numAttentionHeads`
/// @param vocabSize rows of the embedding matrix
/// @param maxPositionEmbeddings the context the checkpoint declares, in tokens
/// @param rmsNormEps epsilon inside the RMSNorm root
/// @param ropeTheta base of the rotary frequencies
/// @param ropeScaling how the rotary frequencies are stretched
/// @param tieWordEmbeddings whether the output projection is the embedding matrix
/// @param head what it ends in
public record LlamaConfig(
    int hiddenSize,
    int intermediateSize,
    int numLayers,
    int numAttentionHeads,
    int numKeyValueHeads,
    int headDim,
    int vocabSize,
    int maxPositionEmbeddings,
    float rmsNormEps,
    double ropeTheta,
    RopeScaling ropeScaling,
    boolean tieWordEmbeddings,
    OutputHead head) {

  public LlamaConfig {
    requirePositive("hidden_size", hiddenSize);
    requirePositive("intermediate_size", intermediateSize);
    requirePositive("num_hidden_layers", numLayers);
    requirePositive("num_attention_heads", numAttentionHeads);
    requirePositive("num_key_value_heads", numKeyValueHeads);
    requirePositive("head_dim", headDim);
    requirePositive("vocab_size", vocabSize);
    requirePositive("max_position_embeddings", maxPositionEmbeddings);
    if (numAttentionHeads % numKeyValueHeads != 0) {
      throw new IllegalArgumentException(
          "num_attention_heads %d is not divisible by num_key_value_heads (head_count_kv) %d"
              .formatted(numAttentionHeads, numKeyValueHeads));
    }
    if ((long) numAttentionHeads * headDim > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "num_attention_heads %d x head_dim %d does not fit 31 bits"
              .formatted(numAttentionHeads, headDim));
    }
    if (headDim % 2 != 0) {
      throw new IllegalArgumentException(
          "head_dim %d is odd; rotary embedding works on pairs".formatted(headDim));
    }
    if (!(rmsNormEps > 0) || Float.isInfinite(rmsNormEps)) {
      throw new IllegalArgumentException(
          "rms_norm_eps must be positive and finite, got " + rmsNormEps);
    }
    if (!(ropeTheta > 0) || Double.isInfinite(ropeTheta)) {
      throw new IllegalArgumentException(
          "rope_theta must be positive and finite, got " + ropeTheta);
    }
    if (tieWordEmbeddings && !(head instanceof OutputHead.Vocabulary)) {
      throw new IllegalArgumentException("tie_word_embeddings with " + head + ": nothing to tie");
    }
    if (ropeScaling instanceof RopeScaling.FrequencyFactors scaling
        && scaling.factors().length != headDim / 2) {
      throw new IllegalArgumentException(
          "rope frequency factors: expected head_dim / 2 = %d values, got %d"
              .formatted(headDim / 2, scaling.factors().length));
    }
  }

  /// A language model.
  public LlamaConfig(
      int hiddenSize,
      int intermediateSize,
      int numLayers,
      int numAttentionHeads,
      int numKeyValueHeads,
      int headDim,
      int vocabSize,
      int maxPositionEmbeddings,
      float rmsNormEps,
      double ropeTheta,
      RopeScaling ropeScaling,
      boolean tieWordEmbeddings) {
    this(
        hiddenSize,
        intermediateSize,
        numLayers,
        numAttentionHeads,
        numKeyValueHeads,
        headDim,
        vocabSize,
        maxPositionEmbeddings,
        rmsNormEps,
        ropeTheta,
        ropeScaling,
        tieWordEmbeddings,
        OutputHead.VOCABULARY);
  }

  /// The same network with another end; embeddings are tied to a vocabulary head alone.
  public LlamaConfig withHead(OutputHead other) {
    return new LlamaConfig(
        hiddenSize,
        intermediateSize,
        numLayers,
        numAttentionHeads,
        numKeyValueHeads,
        headDim,
        vocabSize,
        maxPositionEmbeddings,
        rmsNormEps,
        ropeTheta,
        ropeScaling,
        tieWordEmbeddings && other instanceof OutputHead.Vocabulary,
        other);
  }

  /// Numbers in a row of the network's output: logits, scores, or 0 where it has no head.
  public int numOutputs() {
    return switch (head) {
      case OutputHead.Vocabulary _ -> vocabSize;
      case OutputHead.Scores scores -> scores.labels().size();
      case OutputHead.None _ -> 0;
    };
  }

  /// Whether tokens can be drawn from its output.
  public boolean generates() {
    return head instanceof OutputHead.Vocabulary;
  }

  /// Query heads that share one key/value head.
  public int groupSize() {
    return numAttentionHeads / numKeyValueHeads;
  }

  /// Width of the query projection's output: `numAttentionHeads * headDim`.
  public int queryWidth() {
    return Math.multiplyExact(numAttentionHeads, headDim);
  }

  /// Width of the key (or value) projection's output: `numKeyValueHeads * headDim`.
  public int keyValueWidth() {
    return Math.multiplyExact(numKeyValueHeads, headDim);
  }

  private static void requirePositive(String name, int value) {
    if (value <= 0) {
      throw new IllegalArgumentException(name + " must be positive, got " + value);
    }
  }
}
