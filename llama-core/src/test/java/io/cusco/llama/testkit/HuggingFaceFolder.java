package io.cusco.llama.testkit;

import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.LlamaWeights.Linear;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.OutputHead;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// A Hugging Face folder of a random network, made in a test: config, float32 weights, and a
/// tokenizer with Llama 3's special tokens that knows single bytes alone.
public final class HuggingFaceFolder {
  /// 256 bytes and 256 special tokens.
  public static final int VOCAB_SIZE = 512;

  private HuggingFaceFolder() {}

  /// Writes a network to `folder`, which is made. Its rotary layout has to be that of such files,
  /// its rotary scaling none.
  public static void write(Path folder, LlamaConfig config, LlamaWeights weights)
      throws IOException {
    Files.createDirectories(folder);
    boolean biased = weights.layers().getFirst().qProj().bias().isPresent();
    Files.writeString(folder.resolve("config.json"), config(config, biased));
    Files.write(folder.resolve("model.safetensors"), safetensors(tensors(config, weights)));
    List<String> ranks = new ArrayList<>();
    for (int i = 0; i < 256; i++) {
      ranks.add(Base64.getEncoder().encodeToString(new byte[] {(byte) i}) + " " + i);
    }
    Files.write(folder.resolve("tokenizer.model"), ranks);
  }

  private static String config(LlamaConfig config, boolean biased) {
    String head =
        switch (config.head()) {
          case OutputHead.Vocabulary _ -> "\"architectures\":[\"LlamaForCausalLM\"]";
          case OutputHead.None _ -> "\"architectures\":[\"LlamaModel\"]";
          case OutputHead.Scores(List<String> labels) -> {
            List<String> names = new ArrayList<>();
            labels.forEach(label -> names.add("\"%d\":\"%s\"".formatted(names.size(), label)));
            yield "\"architectures\":[\"LlamaForSequenceClassification\"],\"id2label\":{%s}"
                .formatted(String.join(",", names));
          }
        };
    return """
    {%s,"model_type":"llama","hidden_size":%d,"intermediate_size":%d,"num_hidden_layers":%d,
     "num_attention_heads":%d,"num_key_value_heads":%d,"head_dim":%d,"vocab_size":%d,
     "max_position_embeddings":%d,"rms_norm_eps":%s,"rope_theta":%s,"attention_bias":%s,
     "mlp_bias":%s}
    """
        .formatted(
            head,
            config.hiddenSize(),
            config.intermediateSize(),
            config.numLayers(),
            config.numAttentionHeads(),
            config.numKeyValueHeads(),
            config.headDim(),
            config.vocabSize(),
            config.maxPositionEmbeddings(),
            Float.toString(config.rmsNormEps()),
            Double.toString(config.ropeTheta()),
            biased,
            biased);
  }

  private static Map<String, TensorView> tensors(LlamaConfig config, LlamaWeights weights) {
    String prefix = config.head() instanceof OutputHead.None ? "" : "model.";
    Map<String, TensorView> tensors = new LinkedHashMap<>();
    tensors.put(prefix + "embed_tokens.weight", weights.embedTokens());
    for (int i = 0; i < weights.layers().size(); i++) {
      LlamaWeights.Layer layer = weights.layers().get(i);
      String name = prefix + "layers." + i + ".";
      tensors.put(name + "input_layernorm.weight", layer.inputNorm());
      put(tensors, name + "self_attn.q_proj", layer.qProj());
      put(tensors, name + "self_attn.k_proj", layer.kProj());
      put(tensors, name + "self_attn.v_proj", layer.vProj());
      put(tensors, name + "self_attn.o_proj", layer.oProj());
      tensors.put(name + "post_attention_layernorm.weight", layer.postAttentionNorm());
      put(tensors, name + "mlp.gate_proj", layer.gateProj());
      put(tensors, name + "mlp.up_proj", layer.upProj());
      put(tensors, name + "mlp.down_proj", layer.downProj());
    }
    tensors.put(prefix + "norm.weight", weights.norm());
    weights
        .head()
        .ifPresent(
            head -> tensors.put(config.generates() ? "lm_head.weight" : "score.weight", head));
    return tensors;
  }

  private static void put(Map<String, TensorView> tensors, String name, Linear linear) {
    tensors.put(name + ".weight", linear.weight());
    linear.bias().ifPresent(bias -> tensors.put(name + ".bias", bias));
  }

  private static byte[] safetensors(Map<String, TensorView> tensors) {
    List<String> entries = new ArrayList<>();
    long offset = 0;
    for (Map.Entry<String, TensorView> tensor : tensors.entrySet()) {
      long end = offset + tensor.getValue().segment().byteSize();
      entries.add(
          "\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%d,%d]}"
              .formatted(
                  tensor.getKey(),
                  Arrays.stream(tensor.getValue().shape())
                      .mapToObj(Long::toString)
                      .collect(Collectors.joining(",")),
                  offset,
                  end));
      offset = end;
    }
    byte[] header = ("{" + String.join(",", entries) + "}").getBytes(StandardCharsets.UTF_8);
    ByteBuffer file =
        ByteBuffer.allocate(Math.toIntExact(Long.BYTES + header.length + offset))
            .order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(header.length).put(header);
    tensors.values().forEach(view -> file.put(view.segment().toArray(ValueLayout.JAVA_BYTE)));
    return file.array();
  }
}
