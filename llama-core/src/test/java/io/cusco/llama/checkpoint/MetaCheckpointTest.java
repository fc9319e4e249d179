package io.cusco.llama.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Meta folders made here, one tensor at a time, whole and broken.
final class MetaCheckpointTest {
  private static final int DIM = 8;
  private static final int FFN = 12;
  private static final int VOCAB = 10;
  private static final String PARAMS =
      "{\"dim\": 8, \"n_layers\": 1, \"n_heads\": 4, \"n_kv_heads\": 2, \"norm_eps\": 1e-05,"
          + " \"vocab_size\": -1%s}";

  @TempDir Path folder;

  @Test
  void oneShardIsAViewOfTheFile() throws IOException {
    write(PARAMS.formatted(""), TorchFile.of(model()));
    try (MetaCheckpoint checkpoint = MetaCheckpoint.open(folder)) {
      LlamaConfig config = checkpoint.config();
      assertThat(config.vocabSize()).isEqualTo(VOCAB);
      assertThat(config.intermediateSize()).isEqualTo(FFN);
      assertThat(config.maxPositionEmbeddings()).isEqualTo(4096); // epsilon 1e-5, theta 1e4
      assertThat(config.tieWordEmbeddings()).isFalse();
      assertThat(values(checkpoint.weights().head().orElseThrow()))
          .isEqualTo(model().get("output.weight").values());
    }
  }

  /// Slices as fairscale makes them, joined to what one shard holds.
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void shardsJoinToTheWholeMatrices(boolean embeddingByRows) throws IOException {
    Map<String, TorchFile.Tensor> whole = model();
    byte[][] shards = new byte[2][];
    for (int shard = 0; shard < 2; shard++) {
      Map<String, TorchFile.Tensor> part = new LinkedHashMap<>();
      for (Map.Entry<String, TorchFile.Tensor> entry : whole.entrySet()) {
        part.put(entry.getKey(), slice(entry.getKey(), entry.getValue(), shard, embeddingByRows));
      }
      shards[shard] = TorchFile.of(part);
    }
    write(PARAMS.formatted(""), shards);
    try (MetaCheckpoint checkpoint = MetaCheckpoint.open(folder)) {
      assertThat(checkpoint.format()).isEqualTo("Meta .pth (2 shards)");
      assertThat(checkpoint.weights().layers()).hasSize(1);
      for (TensorView tensor : checkpoint.tensors()) {
        assertThat(values(tensor)).as(tensor.name()).isEqualTo(whole.get(tensor.name()).values());
      }
    }
  }

  /// Factors: Meta's apply_scaling for 3.1, transformers' converter for the narrow 3.2 models.
  @ParameterizedTest
  @CsvSource({
    "', \"use_scaled_rope\": true', 32, 131072",
    "', \"use_scaled_rope\": true, \"rope_scaling_factor\": 16', 16, 131072",
    "', \"rope_theta\": 500000.0', 0, 8192",
    "', \"rope_theta\": 1000000', 0, 16384"
  })
  void ropeAndContextFollowFromTheParams(String more, double factor, int context)
      throws IOException {
    write(PARAMS.formatted(more), TorchFile.of(model()));
    try (MetaCheckpoint checkpoint = MetaCheckpoint.open(folder)) {
      assertThat(checkpoint.config().maxPositionEmbeddings()).isEqualTo(context);
      assertThat(checkpoint.config().ropeScaling())
          .isEqualTo(
              factor == 0 ? new RopeScaling.None() : new RopeScaling.Llama3(factor, 1, 4, 8192));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "', \"multiple_of\": 256', feed-forward width of 256",
    "', \"vocab_size\": 11', twice",
    "', \"moe_args\": {}', mixture of experts",
    "', \"vision_num_cross_attention_layers\": 8', vision model",
    "', \"quantization_args\": {}', quantised"
  })
  void paramsThatContradictOrAskForOtherModelsAreRefused(String more, String message)
      throws IOException {
    write(PARAMS.formatted(more), TorchFile.of(model()));
    assertRefused(message);
  }

  @ParameterizedTest
  @CsvSource({
    "posix, system",
    "builtins, eval",
    "torch.storage, _load_from_bytes",
    "torch, LongStorage",
    "collections, OrderedDict2"
  })
  void hostileGlobalsAreRefusedByName(String module, String name) throws IOException {
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    pickle.writeBytes(new byte[] {(byte) 0x80, 2});
    pickle.writeBytes("c%s\n%s\n(X".formatted(module, name).getBytes(StandardCharsets.US_ASCII));
    pickle.writeBytes(new byte[] {4, 0, 0, 0});
    pickle.writeBytes("exittR.".getBytes(StandardCharsets.US_ASCII));
    write(PARAMS.formatted(""), TorchFile.zip(Map.of("a/data.pkl", pickle.toByteArray()), true));
    assertRefused(module + "." + name);
  }

  @Test
  void compressedEntriesAreRefusedSoNothingInflates() throws IOException {
    byte[] zeros = new byte[1 << 20];
    write(PARAMS.formatted(""), TorchFile.zip(Map.of("a/data.pkl", zeros), false));
    assertRefused("compressed");
  }

  @Test
  void tensorsThatAreNotContiguousOrLeaveTheirStorageAreRefused() throws IOException {
    Map<String, TorchFile.Tensor> transposed = model();
    TorchFile.Tensor q = transposed.get("layers.0.attention.wq.weight");
    transposed.put(
        "layers.0.attention.wq.weight",
        new TorchFile.Tensor(q.values(), q.shape(), new long[] {1, 8}, 0));
    write(PARAMS.formatted(""), TorchFile.of(transposed));
    assertRefused("not contiguous");
    transposed.put(
        "layers.0.attention.wq.weight",
        new TorchFile.Tensor(q.values(), q.shape(), new long[] {8, 1}, 1));
    write(PARAMS.formatted(""), TorchFile.of(transposed));
    assertRefused("truncated: tensor layers.0.attention.wq.weight");
  }

  @Test
  void anEmbeddingThatIsNoMatrixIsRefused() throws IOException {
    Map<String, TorchFile.Tensor> model = model();
    model.put("tok_embeddings.weight", TorchFile.Tensor.of(new float[] {1}, new long[0]));
    write(PARAMS.formatted(""), TorchFile.of(model));
    assertRefused("tok_embeddings.weight has shape []");
  }

  @Test
  void missingShardsAndTensorsAreNamed() throws IOException {
    Files.writeString(folder.resolve("params.json"), PARAMS.formatted(""));
    assertRefused("consolidated.00.pth is missing");
    Map<String, TorchFile.Tensor> model = model();
    model.remove("layers.0.ffn_norm.weight");
    write(PARAMS.formatted(""), TorchFile.of(model));
    assertRefused("layers.0.ffn_norm.weight is missing");
    Files.copy(folder.resolve("consolidated.00.pth"), folder.resolve("consolidated.02.pth"));
    assertRefused("consolidated.01.pth is missing");
  }

  @Test
  void truncatedAndFlippedFilesOnlyEndInCheckpointExceptions() throws IOException {
    byte[] intact = TorchFile.of(model());
    for (int length = 0; length < intact.length; length += 31) {
      write(PARAMS.formatted(""), Arrays.copyOf(intact, length));
      assertRefused("consolidated.00.pth");
    }
    long seed = 7;
    System.out.println("truncatedAndFlippedFilesOnlyEndInCheckpointExceptions seed " + seed);
    Random random = new Random(seed);
    for (int round = 0; round < 400; round++) {
      byte[] damaged = intact.clone();
      damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      write(PARAMS.formatted(""), damaged);
      try (MetaCheckpoint checkpoint = MetaCheckpoint.open(folder)) {
        checkpoint.weights();
      } catch (CheckpointException e) {
        assertThat(e).hasMessageContaining(folder.toString());
      }
    }
  }

  private void assertRefused(String message) {
    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> {
          try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            checkpoint.weights();
          }
        })
        .withMessageContaining(message);
  }

  private void write(String params, byte[]... shards) throws IOException {
    Files.writeString(folder.resolve("params.json"), params);
    for (int shard = 0; shard < shards.length; shard++) {
      Files.write(folder.resolve("consolidated.%02d.pth".formatted(shard)), shards[shard]);
    }
  }

  private static Map<String, TorchFile.Tensor> model() {
    Map<String, TorchFile.Tensor> tensors = new LinkedHashMap<>();
    Map<String, long[]> shapes = new LinkedHashMap<>();
    shapes.put("tok_embeddings.weight", new long[] {VOCAB, DIM});
    shapes.put("norm.weight", new long[] {DIM});
    shapes.put("output.weight", new long[] {VOCAB, DIM});
    shapes.put("layers.0.attention.wq.weight", new long[] {DIM, DIM});
    shapes.put("layers.0.attention.wk.weight", new long[] {4, DIM});
    shapes.put("layers.0.attention.wv.weight", new long[] {4, DIM});
    shapes.put("layers.0.attention.wo.weight", new long[] {DIM, DIM});
    shapes.put("layers.0.feed_forward.w1.weight", new long[] {FFN, DIM});
    shapes.put("layers.0.feed_forward.w2.weight", new long[] {DIM, FFN});
    shapes.put("layers.0.feed_forward.w3.weight", new long[] {FFN, DIM});
    shapes.put("layers.0.attention_norm.weight", new long[] {DIM});
    shapes.put("layers.0.ffn_norm.weight", new long[] {DIM});
    shapes.put("rope.freqs", new long[] {1});
    float next = 1;
    for (Map.Entry<String, long[]> entry : shapes.entrySet()) {
      float[] values = new float[(int) Arrays.stream(entry.getValue()).reduce(1, (a, b) -> a * b)];
      for (int i = 0; i < values.length; i++) {
        values[i] = next++;
      }
      tensors.put(entry.getKey(), TorchFile.Tensor.of(values, entry.getValue()));
    }
    return tensors;
  }

  private static TorchFile.Tensor slice(
      String name, TorchFile.Tensor whole, int shard, boolean embeddingByRows) {
    if (whole.shape().length == 1) {
      return whole;
    }
    boolean byColumns =
        name.contains(".wo.")
            || name.contains(".w2.")
            || (name.startsWith("tok") && !embeddingByRows);
    int rows = (int) whole.shape()[0];
    int columns = (int) whole.shape()[1];
    int sliceRows = byColumns ? rows : rows / 2;
    int sliceColumns = byColumns ? columns / 2 : columns;
    float[] values = new float[sliceRows * sliceColumns];
    for (int row = 0; row < sliceRows; row++) {
      int from =
          byColumns ? row * columns + shard * sliceColumns : (shard * sliceRows + row) * columns;
      System.arraycopy(whole.values(), from, values, row * sliceColumns, sliceColumns);
    }
    return TorchFile.Tensor.of(values, new long[] {sliceRows, sliceColumns});
  }

  private static float[] values(TensorView tensor) {
    float[] values = new float[Math.toIntExact(tensor.numElements())];
    BlockFormats.dequantize(tensor.dtype(), tensor.segment(), 0, values, 0, values.length);
    return values;
  }
}
