package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.memory.NativeMemory;
import io.cusco.llama.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/// A model with the true shape of a published one and random weights, made in memory when they are
/// first asked for: for benchmarks and tests on machines that have no model. Its logits are finite
/// and of order one; its text means nothing, and it has no tokenizer.
public final class SyntheticCheckpoint extends MappedCheckpoint {
  /// The same weights every time.
  private static final long SEED = 20261121;

  private static final int LLAMA_3_VOCAB = 128256;
  private static final int LLAMA_2_VOCAB = 32000;

  /// Sources: the published config.json of each model.
  private static final Map<String, LlamaConfig> CONFIGS =
      new TreeMap<>(
          Map.of(
              "llama-3.2-1b", llama3(2048, 8192, 16, 32, 64, 32, true),
              "llama-3.2-3b", llama3(3072, 8192, 28, 24, 128, 32, true),
              "llama-3.1-8b", llama3(4096, 14336, 32, 32, 128, 8, false),
              "llama-3.1-70b", llama3(8192, 28672, 80, 64, 128, 8, false),
              "llama-2-7b", llama2(4096, 11008, 32, 32, 32),
              "llama-2-13b", llama2(5120, 13824, 40, 40, 40),
              "llama-2-70b", llama2(8192, 28672, 80, 64, 8),
              "llama-1-7b", unscaled(4096, 11008, 32, 32, 32, LLAMA_2_VOCAB, 2048, 1e-6f, 1e4),
              "codellama-7b", unscaled(4096, 11008, 32, 32, 32, 32016, 16384, 1e-5f, 1e6),
              // A shape of our own: the smallest that every K-quant and a head of 64 fit.
              "tiny", unscaled(256, 512, 2, 4, 2, 512, 512, 1e-5f, 1e4)));

  /// What `dtype` stands for: the type of most matrices, and that of the ones llama.cpp keeps finer
  /// (`llama_tensor_get_type`): the output matrix, and for the `_M` mixes half of attn_v and
  /// ffn_down.
  private enum Mix {
    F32(DType.F32, DType.F32, DType.F32),
    F16(DType.F16, DType.F16, DType.F16),
    BF16(DType.BF16, DType.BF16, DType.BF16),
    Q8_0(DType.Q8_0, DType.Q8_0, DType.Q8_0),
    Q4_0(DType.Q4_0, DType.Q4_0, DType.Q6_K),
    Q4_K(DType.Q4_K, DType.Q6_K, DType.Q6_K),
    Q5_K(DType.Q5_K, DType.Q6_K, DType.Q6_K),
    Q6_K(DType.Q6_K, DType.Q6_K, DType.Q6_K);

    private final DType most;
    private final DType sensitive;
    private final DType output;

    Mix(DType most, DType sensitive, DType output) {
      this.most = most;
      this.sensitive = sensitive;
      this.output = output;
    }
  }

  private final Mix mix;
  private final Arena arena;

  private SyntheticCheckpoint(Header header, WeightAssembler assembler, Mix mix, Arena arena) {
    super(header, assembler, arena);
    this.mix = mix;
    this.arena = arena;
  }

  /// @param name one of [#names()]
  /// @param dtype one of [#dtypes()]; `q4_k` and `q5_k` are mixed as llama.cpp's Q4_K_M and Q5_K_M,
  ///   `q4_0` has its output matrix in Q6_K
  /// @throws IllegalArgumentException if there is no such model or type, naming those there are
  public static SyntheticCheckpoint open(String name, String dtype) {
    LlamaConfig config = CONFIGS.get(name);
    if (config == null) {
      throw new IllegalArgumentException(
          "no synthetic model is called '%s'; there are %s".formatted(name, names()));
    }
    if (!dtypes().contains(dtype)) {
      throw new IllegalArgumentException(
          "no synthetic weights of type '%s'; there are %s".formatted(dtype, dtypes()));
    }
    Mix mix = Mix.valueOf(dtype.toUpperCase(Locale.ROOT));
    String source = "synthetic %s %s".formatted(name, dtype);
    Header header =
        new Header(source, "synthetic " + dtype, name, config, OptionalInt.empty(), List.of());
    WeightAssembler assembler =
        new WeightAssembler(source, config, TensorNames.GGUF, WeightAssembler.RequiredBiases.NONE);
    return new SyntheticCheckpoint(header, assembler, mix, Arena.ofShared());
  }

  /// The models that can be made.
  public static List<String> names() {
    return List.copyOf(CONFIGS.keySet());
  }

  /// The types that weights can be made in.
  public static List<String> dtypes() {
    return List.of("f32", "f16", "bf16", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k");
  }

  /// Saves the model as a GGUF file, for benchmarks that load from disk.
  ///
  /// @throws IOException if it cannot be written
  public void writeGguf(Path file) throws IOException {
    GgufWriter writer =
        new GgufWriter()
            .putConfig(config())
            .put("general.name", source())
            // So that llama.cpp reads it too.
            .put("tokenizer.ggml.model", CheckpointTokenizers.NO_VOCABULARY);
    tensors().forEach(writer::add);
    writer.write(file);
  }

  @Override
  TensorTable readTensors() {
    LlamaConfig config = config();
    TensorNames names = TensorNames.GGUF;
    int hidden = config.hiddenSize();
    int intermediate = config.intermediateSize();
    int query = config.queryWidth();
    int keyValue = config.keyValueWidth();
    TensorTable table = new TensorTable();
    boolean tied = config.tieWordEmbeddings();
    addMatrix(table, names.embedTokens(), tied ? mix.output : mix.most, config.vocabSize(), hidden);
    for (int layer = 0; layer < config.numLayers(); layer++) {
      String prefix = names.layerPrefix().formatted(layer);
      DType sensitive = isSensitive(layer, config.numLayers()) ? mix.sensitive : mix.most;
      addNorm(table, prefix + names.inputNorm(), hidden);
      addMatrix(table, prefix + names.qProj(), mix.most, query, hidden);
      addMatrix(table, prefix + names.kProj(), mix.most, keyValue, hidden);
      addMatrix(table, prefix + names.vProj(), sensitive, keyValue, hidden);
      addMatrix(table, prefix + names.oProj(), mix.most, hidden, query);
      addNorm(table, prefix + names.postAttentionNorm(), hidden);
      addMatrix(table, prefix + names.gateProj(), mix.most, intermediate, hidden);
      addMatrix(table, prefix + names.upProj(), mix.most, intermediate, hidden);
      addMatrix(table, prefix + names.downProj(), sensitive, hidden, intermediate);
    }
    addNorm(table, names.norm(), hidden);
    if (!tied) {
      addMatrix(table, names.lmHead(), mix.output, config.vocabSize(), hidden);
    }
    return table;
  }

  /// llama.cpp's `use_more_bits`: the first and last eighth of the layers, and every third between.
  private static boolean isSensitive(int layer, int numLayers) {
    int eighth = numLayers / 8;
    return layer < eighth || layer >= 7 * numLayers / 8 || (layer - eighth) % 3 == 2;
  }

  private void addMatrix(TensorTable table, String name, DType dtype, long rows, long columns) {
    long numBytes = dtype.numBytes(Math.multiplyExact(rows, columns));
    MemorySegment segment = NativeMemory.allocateZeroed(numBytes, arena);
    RandomWeights.fill(dtype, segment, SEED + name.hashCode());
    long[] shape = {rows, columns};
    table.add(source(), new TensorView(name + TensorNames.WEIGHT, dtype, shape, segment));
  }

  private void addNorm(TensorTable table, String name, int length) {
    MemorySegment segment = NativeMemory.allocateZeroed(DType.F32.numBytes(length), arena);
    for (long i = 0; i < length; i++) {
      segment.set(BlockFormats.FLOAT, i * Float.BYTES, 1f);
    }
    long[] shape = {length};
    table.add(source(), new TensorView(name + TensorNames.WEIGHT, DType.F32, shape, segment));
  }

  @Override
  Tokenizer readTokenizer() {
    throw new CheckpointException(
        source() + ": random weights have no tokenizer; give token ids instead of text");
  }

  @Override
  Optional<String> readChatTemplate() {
    return Optional.empty();
  }

  private static LlamaConfig llama3(
      int hidden, int intermediate, int layers, int heads, int headDim, int factor, boolean tied) {
    return new LlamaConfig(
        hidden,
        intermediate,
        layers,
        heads,
        8,
        headDim,
        LLAMA_3_VOCAB,
        131072,
        1e-5f,
        500000,
        new RopeScaling.Llama3(factor, 1, 4, 8192),
        tied);
  }

  private static LlamaConfig llama2(
      int hidden, int intermediate, int layers, int heads, int keyValueHeads) {
    return unscaled(
        hidden, intermediate, layers, heads, keyValueHeads, LLAMA_2_VOCAB, 4096, 1e-5f, 1e4);
  }

  private static LlamaConfig unscaled(
      int hidden,
      int intermediate,
      int layers,
      int heads,
      int keyValueHeads,
      int vocab,
      int context,
      float eps,
      double theta) {
    return new LlamaConfig(
        hidden,
        intermediate,
        layers,
        heads,
        keyValueHeads,
        hidden / heads,
        vocab,
        context,
        eps,
        theta,
        new RopeScaling.None(),
        false);
  }
}
