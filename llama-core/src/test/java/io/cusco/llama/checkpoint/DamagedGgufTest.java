package io.cusco.llama.checkpoint;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A GGUF of our own, cut and corrupted everywhere: nothing but a [CheckpointException] or success
/// ever comes out.
final class DamagedGgufTest {
  private static final LlamaConfig CONFIG =
      new LlamaConfig(8, 4, 1, 2, 1, 4, 260, 64, 1e-5f, 10000, new RopeScaling.None(), false);

  @TempDir Path folder;
  private byte[] intact;

  @BeforeEach
  void write() throws IOException {
    Path file = folder.resolve("small.gguf");
    writer(CONFIG).write(file);
    intact = Files.readAllBytes(file);
  }

  @Test
  void theIntactFileOpensFromMemoryWithItsTokenizer() {
    try (GgufCheckpoint checkpoint = open(intact)) {
      assertThat(checkpoint.config()).isEqualTo(CONFIG);
      assertThat(checkpoint.weights().layers()).hasSize(1);
      assertThat(checkpoint.tokenizer().vocabSize()).isEqualTo(CONFIG.vocabSize());
      assertThat(checkpoint.bosTokenId()).hasValue(1);
      assertThat(checkpoint.eosTokenIds()).containsExactly(2);
      assertThat(checkpoint.source()).isEqualTo("damaged.gguf");
      assertThat(checkpoint.format()).isEqualTo("GGUF v3");
    }
  }

  @Test
  void everyTruncationIsRefused() {
    // The padding after the last tensor may be missing; everything before may not.
    int used = intact.length - paddingAfterLastTensor();
    for (int length = 0; length < used; length++) {
      byte[] cut = Arrays.copyOf(intact, length);
      assertThatExceptionOfType(CheckpointException.class)
          .as("cut at %d of %d", length, intact.length)
          .isThrownBy(() -> use(cut))
          .withMessageContaining("damaged.gguf");
    }
    use(Arrays.copyOf(intact, used));
  }

  @Test
  void flippedBitsNeverEscapeAsAnotherException() {
    long seed = 42;
    System.out.println("flippedBitsNeverEscapeAsAnotherException seed " + seed);
    Random random = new Random(seed);
    int header = intact.length - 2 * tensorBytes();
    int refused = 0;
    for (int round = 0; round < 10_000; round++) {
      byte[] damaged = intact.clone();
      for (int flip = random.nextInt(3); flip >= 0; flip--) {
        damaged[random.nextInt(Math.max(header, 64))] ^= (byte) (1 << random.nextInt(8));
      }
      try {
        use(damaged);
      } catch (CheckpointException e) {
        refused++;
        assertThat(e).hasMessageContaining("damaged.gguf");
      }
    }
    assertThat(refused).isPositive();
  }

  /// A tensor's header: length and text of its name, dimensions u32, a u64 for each, type u32,
  /// offset u64.
  @Test
  void tensorsThatShareBytesAreRefused() {
    String norm = "blk.0.ffn_norm.weight";
    int name = new String(intact, ISO_8859_1).indexOf(norm);
    ByteBuffer damaged = ByteBuffer.wrap(intact.clone()).order(ByteOrder.LITTLE_ENDIAN);
    int offset = name + norm.length() + Integer.BYTES + Long.BYTES + Integer.BYTES;
    assertThat(damaged.getLong(offset)).isPositive();
    damaged.putLong(offset, 32);
    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> use(damaged.array()))
        .withMessage(
            "damaged.gguf: tensor token_embd.weight has 4160 bytes at offset 0, but tensor"
                + " blk.0.ffn_norm.weight begins at 32; the file is damaged");
  }

  @Test
  void namesWhatIsNotSupported() {
    assertRefused(base(CONFIG).put("llama.expert_count", 8), "mixture of 8 experts");
    assertRefused(base(CONFIG).put("llama.rope.scaling.type", "yarn"), "'yarn' is not supported");
    assertRefused(new GgufWriter().put("general.architecture", "gemma"), "'gemma'");
    assertRefused(base(CONFIG).put("tokenizer.ggml.tokens", List.of("a")), "lists 1 tokens");
    assertRefused(base(CONFIG).put("split.count", 3), "split into 3 files");
    LlamaConfig wide =
        new LlamaConfig(
            8, 4, 1, 1 << 20, 1, 1024, 260, 64, 1e-5f, 1e4, new RopeScaling.None(), true);
    assertRefused(base(wide), "blk.0.attn_q.weight: expected [1073741824, 8]");
  }

  @Test
  void oldAndNewKeysOfLinearScalingAgree() {
    GgufWriter old = base(CONFIG).put("llama.rope.scale_linear", 4f);
    GgufWriter current =
        base(CONFIG).put("llama.rope.scaling.type", "linear").put("llama.rope.scaling.factor", 4f);
    for (GgufWriter writer : List.of(old, current)) {
      try (GgufCheckpoint checkpoint = open(bytes(writer))) {
        assertThat(checkpoint.config().ropeScaling()).isEqualTo(new RopeScaling.Linear(4));
      }
    }
  }

  @Test
  void aWrongTypeNamesKeyExpectedAndFound() {
    byte[] file = bytes(base(CONFIG).put("general.name", 7));
    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> use(file))
        .withMessage(
            "damaged.gguf: metadata key general.name has the wrong type: expected a string, found"
                + " UINT32");
  }

  @Test
  void aModelSplitOverFilesOpensFromItsFirst() throws IOException {
    GgufWriter first = putConfigAndVocabulary(new GgufWriter(), CONFIG);
    first.put("split.count", 2).put("split.no", 0).put("split.tensors.count", 12);
    GgufWriter second = new GgufWriter().put("split.count", 2).put("split.no", 1);
    try (Arena arena = Arena.ofConfined()) {
      List<TensorView> tensors = tensors(CONFIG, arena);
      tensors.subList(0, 5).forEach(first::add);
      tensors.subList(5, tensors.size()).forEach(second::add);
      first.write(folder.resolve("m-00001-of-00002.gguf"));
      second.write(folder.resolve("m-00002-of-00002.gguf"));
    }
    try (Checkpoint checkpoint = Checkpoint.open(folder.resolve("m-00001-of-00002.gguf"))) {
      assertThat(checkpoint.tensors()).hasSize(12);
      assertThat(checkpoint.weights().layers()).hasSize(1);
    }
    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> Checkpoint.open(folder.resolve("m-00002-of-00002.gguf")))
        .withMessageContaining("open m-00001-of-00002.gguf");
    Files.delete(folder.resolve("m-00002-of-00002.gguf"));
    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> Checkpoint.open(folder.resolve("m-00001-of-00002.gguf")))
        .withMessageContaining("m-00002-of-00002.gguf");
  }

  private void assertRefused(GgufWriter writer, String message) {
    byte[] file = bytes(writer);
    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> use(file))
        .withMessageContaining(message)
        .withMessageContaining("damaged.gguf");
  }

  /// Opens, reads weights, metadata and tokenizer, and closes.
  private static void use(byte[] content) {
    try (GgufCheckpoint checkpoint = open(content)) {
      checkpoint.weights();
      checkpoint.chatTemplate();
      Tokenizer tokenizer = checkpoint.tokenizer();
      assertThat(tokenizer.vocabSize()).isEqualTo(checkpoint.config().vocabSize());
    }
  }

  private static GgufCheckpoint open(byte[] content) {
    Arena arena = Arena.ofShared();
    MemorySegment bytes = arena.allocate(Math.max(content.length, 1));
    MemorySegment.copy(MemorySegment.ofArray(content), 0, bytes, 0, content.length);
    return GgufCheckpoint.of("damaged.gguf", bytes.asSlice(0, content.length), arena);
  }

  private byte[] bytes(GgufWriter writer) {
    Path file = folder.resolve("made.gguf");
    try {
      writer.write(file);
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static GgufWriter writer(LlamaConfig config) {
    return addTensors(putConfigAndVocabulary(new GgufWriter(), config), config);
  }

  /// Without a vocabulary.
  private static GgufWriter base(LlamaConfig config) {
    return addTensors(new GgufWriter().putConfig(config), config);
  }

  private static GgufWriter putConfigAndVocabulary(GgufWriter writer, LlamaConfig config) {
    String[] tokens = new String[config.vocabSize()];
    int[] types = new int[tokens.length];
    for (int id = 0; id < tokens.length; id++) {
      tokens[id] = id < 3 ? List.of("<unk>", "<s>", "</s>").get(id) : "<0x%02X>".formatted(id - 3);
      types[id] = id == 0 ? 2 : id < 3 ? 3 : 6;
    }
    tokens[259] = "a";
    types[259] = 1;
    return writer
        .putConfig(config)
        .put("tokenizer.ggml.model", "llama")
        .put("tokenizer.ggml.tokens", List.of(tokens))
        .put("tokenizer.ggml.scores", new float[tokens.length])
        .put("tokenizer.ggml.token_type", types)
        .put("tokenizer.ggml.bos_token_id", 1)
        .put("tokenizer.ggml.eos_token_id", 2);
  }

  private static GgufWriter addTensors(GgufWriter writer, LlamaConfig config) {
    for (TensorView tensor : tensors(config, Arena.ofAuto())) {
      writer.add(tensor);
    }
    return writer;
  }

  private static List<TensorView> tensors(LlamaConfig config, Arena arena) {
    long hidden = config.hiddenSize();
    long ffn = config.intermediateSize();
    long keyValue = config.keyValueWidth();
    return List.of(
        tensor(arena, "token_embd", config.vocabSize(), hidden),
        tensor(arena, "blk.0.attn_norm", hidden),
        tensor(arena, "blk.0.attn_q", hidden, hidden),
        tensor(arena, "blk.0.attn_k", keyValue, hidden),
        tensor(arena, "blk.0.attn_v", keyValue, hidden),
        tensor(arena, "blk.0.attn_output", hidden, hidden),
        tensor(arena, "blk.0.ffn_norm", hidden),
        tensor(arena, "blk.0.ffn_gate", ffn, hidden),
        tensor(arena, "blk.0.ffn_up", ffn, hidden),
        tensor(arena, "blk.0.ffn_down", hidden, ffn),
        tensor(arena, "output_norm", hidden),
        tensor(arena, "output", config.vocabSize(), hidden));
  }

  private static TensorView tensor(Arena arena, String name, long... shape) {
    long numElements = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    MemorySegment bytes = arena.allocate(DType.F16.numBytes(numElements));
    return new TensorView(name + ".weight", DType.F16, shape, bytes);
  }

  private static int tensorBytes() {
    return (int) DType.F16.numBytes((long) CONFIG.vocabSize() * CONFIG.hiddenSize());
  }

  private static int paddingAfterLastTensor() {
    return (32 - tensorBytes() % 32) % 32;
  }
}
