package io.cusco.llama.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.testkit.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// Float files of one model, in whatever format, hold the very same numbers; q and k rows only in
/// another order.
final class FormatsAgreeTest {

  @Test
  void everyFolderOpensWithTheConfigOfItsSpec() throws IOException {
    int folders = 0;
    for (Path model : ReferenceModels.folders()) {
      for (Path path : ReferenceModels.checkpoints(model)) {
        if (path.toString().endsWith(".gguf")) {
          continue;
        }
        folders++;
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
          assertThat(checkpoint.config())
              .as(path.toString())
              .isEqualTo(ReferenceModels.config(model));
          assertThat(checkpoint.weights().layers()).hasSize(checkpoint.config().numLayers());
        }
      }
    }
    System.out.println("reference folders: " + folders);
    assertThat(folders).isPositive();
  }

  @Test
  void eosIdsComeFromListsAndNumbers() {
    Path models = TestData.require("models");
    try (Checkpoint list = Checkpoint.open(models.resolve("llama31-ropescale/hf-bf16"));
        Checkpoint number = Checkpoint.open(models.resolve("mqa/hf-bf16"))) {
      assertThat(list.eosTokenIds()).containsExactly(2, 5, 9);
      assertThat(number.eosTokenIds()).containsExactly(2);
      assertThat(number.bosTokenId()).hasValue(1);
    }
  }

  @Test
  void floatFilesOfOneModelHoldTheSameNumbers() throws IOException {
    int compared = 0;
    for (Path model : ReferenceModels.folders()) {
      List<Path> paths = new ArrayList<>(ReferenceModels.checkpoints(model));
      paths.removeIf(path -> path.toString().matches(".*-(I?Q\\d.*)\\.gguf"));
      if (paths.size() < 2) {
        continue;
      }
      try (Checkpoint first = Checkpoint.open(paths.getFirst())) {
        for (Path path : paths.subList(1, paths.size())) {
          try (Checkpoint other = Checkpoint.open(path)) {
            assertSameNumbers(first, other);
            compared++;
          }
        }
      }
    }
    System.out.println("pairs of files compared: " + compared);
    assertThat(compared).isPositive();
  }

  private static void assertSameNumbers(Checkpoint first, Checkpoint other) {
    LlamaConfig config = first.config();
    List<float[]> expected = matrices(first.weights(), config);
    List<float[]> actual = matrices(other.weights(), config);
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < expected.size(); i++) {
      assertThat(actual.get(i)).as("%s, matrix %d", other.source(), i).isEqualTo(expected.get(i));
    }
  }

  /// All numbers in a fixed order, q and k rows in interleaved order.
  private static List<float[]> matrices(LlamaWeights weights, LlamaConfig config) {
    boolean halves = weights.rotaryLayout() == RotaryLayout.ROTATE_HALF;
    int headDim = config.headDim();
    List<float[]> all = new ArrayList<>();
    all.add(values(weights.embedTokens()));
    for (LlamaWeights.Layer layer : weights.layers()) {
      for (LlamaWeights.Linear linear :
          List.of(
              layer.qProj(),
              layer.kProj(),
              layer.vProj(),
              layer.oProj(),
              layer.gateProj(),
              layer.upProj(),
              layer.downProj())) {
        boolean rotates = linear.equals(layer.qProj()) || linear.equals(layer.kProj());
        List<Optional<TensorView>> parts = List.of(Optional.of(linear.weight()), linear.bias());
        for (Optional<TensorView> part : parts) {
          part.map(FormatsAgreeTest::values)
              .map(numbers ->
                  rotates && halves ? interleaved(numbers, linear.outFeatures(), headDim) : numbers)
              .ifPresent(all::add);
        }
      }
      all.add(values(layer.inputNorm()));
      all.add(values(layer.postAttentionNorm()));
    }
    all.add(values(weights.norm()));
    all.add(values(weights.head().orElseThrow()));
    return all;
  }

  /// Row `i` of the first half of a head becomes row `2 i`, row `i` of the second half `2 i + 1`.
  private static float[] interleaved(float[] numbers, int rows, int headDim) {
    int width = numbers.length / rows;
    float[] result = new float[numbers.length];
    for (int row = 0; row < rows; row++) {
      int head = row / headDim;
      int inHead = row % headDim;
      int pair = inHead % (headDim / 2);
      int to = head * headDim + 2 * pair + inHead / (headDim / 2);
      System.arraycopy(numbers, row * width, result, to * width, width);
    }
    return result;
  }

  private static float[] values(TensorView tensor) {
    float[] values = new float[Math.toIntExact(tensor.numElements())];
    BlockFormats.dequantize(tensor.dtype(), tensor.segment(), 0, values, 0, values.length);
    return values;
  }
}
