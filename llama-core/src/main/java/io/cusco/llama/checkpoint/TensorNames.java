package io.cusco.llama.checkpoint;

import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;

/// What a format calls the tensors of a LLaMA network, without the trailing `.weight` or `.bias`,
/// and in which order it keeps the rows of q and k.
///
/// @param layerPrefix a format string that takes the layer's number
record TensorNames(
    String embedTokens,
    String layerPrefix,
    String inputNorm,
    String qProj,
    String kProj,
    String vProj,
    String oProj,
    String postAttentionNorm,
    String gateProj,
    String upProj,
    String downProj,
    String norm,
    String lmHead,
    RotaryLayout rotaryLayout) {

  static final String WEIGHT = ".weight";
  static final String BIAS = ".bias";

  /// The head of a classifier or reward model. Source: transformers,
  /// `GenericForSequenceClassification`.
  static final String SCORE = "score";

  /// Source: GGUF specification, "Standardized tensor names".
  static final TensorNames GGUF =
      new TensorNames(
          "token_embd",
          "blk.%d.",
          "attn_norm",
          "attn_q",
          "attn_k",
          "attn_v",
          "attn_output",
          "ffn_norm",
          "ffn_gate",
          "ffn_up",
          "ffn_down",
          "output_norm",
          "output",
          RotaryLayout.INTERLEAVED);

  /// Source: transformers, `modeling_llama.py`.
  static final TensorNames HUGGING_FACE =
      new TensorNames(
          "model.embed_tokens",
          "model.layers.%d.",
          "input_layernorm",
          "self_attn.q_proj",
          "self_attn.k_proj",
          "self_attn.v_proj",
          "self_attn.o_proj",
          "post_attention_layernorm",
          "mlp.gate_proj",
          "mlp.up_proj",
          "mlp.down_proj",
          "model.norm",
          "lm_head",
          RotaryLayout.ROTATE_HALF);

  /// The same network saved by itself, without the head's class around it: its tensors are not
  /// inside a `model.`. Source: transformers, `LlamaModel`.
  static final TensorNames HUGGING_FACE_BASE =
      new TensorNames(
          "embed_tokens",
          "layers.%d.",
          HUGGING_FACE.inputNorm,
          HUGGING_FACE.qProj,
          HUGGING_FACE.kProj,
          HUGGING_FACE.vProj,
          HUGGING_FACE.oProj,
          HUGGING_FACE.postAttentionNorm,
          HUGGING_FACE.gateProj,
          HUGGING_FACE.upProj,
          HUGGING_FACE.downProj,
          "norm",
          HUGGING_FACE.lmHead,
          HUGGING_FACE.rotaryLayout);

  /// Source: Meta's llama3 repository, `model.py`.
  static final TensorNames META =
      new TensorNames(
          "tok_embeddings",
          "layers.%d.",
          "attention_norm",
          "attention.wq",
          "attention.wk",
          "attention.wv",
          "attention.wo",
          "ffn_norm",
          "feed_forward.w1",
          "feed_forward.w3",
          "feed_forward.w2",
          "norm",
          "output",
          RotaryLayout.INTERLEAVED);
}
