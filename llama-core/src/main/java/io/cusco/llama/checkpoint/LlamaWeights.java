package io.cusco.llama.checkpoint;

import java.util.List;
import java.util.Optional;

/// The tensors of a LLaMA network, found by role and checked against the config; views into the
/// checkpoint, so valid until that is closed.
///
/// @param embedTokens `[vocabSize, hiddenSize]`
/// @param layers one entry per decoder block
/// @param norm the final RMSNorm's weight, `[hiddenSize]`
/// @param head what the network ends in, where it has a head: `lm_head`, `[vocabSize, hiddenSize]`,
///   the same view as `embedTokens` where embeddings are tied; or `score`, `[labels, hiddenSize]`
/// @param rotaryLayout which elements of a head rotate together
public record LlamaWeights(
    TensorView embedTokens,
    List<Layer> layers,
    TensorView norm,
    Optional<TensorView> head,
    RotaryLayout rotaryLayout) {

  public LlamaWeights {
    layers = List.copyOf(layers);
  }

  /// Whether embedding and output projection are one matrix.
  public boolean isTied() {
    return head.isPresent() && head.get().equals(embedTokens);
  }

  /// Which elements of a query or key head form the pair `i` that rotary embedding turns. The two
  /// orders are permutations of the rows of q and k; attention scores do not depend on the choice.
  public enum RotaryLayout {
    /// Pair `(2i, 2i + 1)`: Meta's files and GGUF.
    INTERLEAVED,
    /// Pair `(i, i + headDim / 2)`: Hugging Face files.
    ROTATE_HALF
  }

  /// A projection `y = W x + b`.
  ///
  /// @param weight `[outFeatures, inFeatures]`
  /// @param bias `[outFeatures]`, where the checkpoint has one
  public record Linear(TensorView weight, Optional<TensorView> bias) {
    public int outFeatures() {
      return weight.rows();
    }

    public int inFeatures() {
      return weight.columns();
    }
  }

  /// One decoder block. `qProj` is `[queryWidth, hiddenSize]`, `kProj` and `vProj` `[keyValueWidth,
  /// hiddenSize]`, `oProj` `[hiddenSize, queryWidth]`, `gateProj` and `upProj` `[intermediateSize,
  /// hiddenSize]`, `downProj` `[hiddenSize, intermediateSize]`, the norms `[hiddenSize]`.
  public record Layer(
      TensorView inputNorm,
      Linear qProj,
      Linear kProj,
      Linear vProj,
      Linear oProj,
      TensorView postAttentionNorm,
      Linear gateProj,
      Linear upProj,
      Linear downProj) {}
}
