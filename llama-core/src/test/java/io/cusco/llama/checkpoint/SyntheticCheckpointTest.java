package io.cusco.llama.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class SyntheticCheckpointTest {
  @TempDir Path folder;

  static List<String> dtypes() {
    return SyntheticCheckpoint.dtypes();
  }

  @ParameterizedTest
  @MethodSource("dtypes")
  void weightsAreCentredAndOfTheUsualSpread(String dtype) {
    try (SyntheticCheckpoint checkpoint = SyntheticCheckpoint.open("tiny", dtype)) {
      LlamaWeights weights = checkpoint.weights();
      LlamaWeights.Layer layer = weights.layers().getLast();
      for (TensorView tensor :
          List.of(
              weights.head().orElseThrow(), layer.qProj().weight(), layer.downProj().weight())) {
        float[] values = values(tensor);
        double sum = 0;
        double squares = 0;
        for (float value : values) {
          sum += value;
          squares += value * (double) value;
        }
        // K-quants have one offset per sub-block of 32, so their mean settles slowly.
        assertThat(sum / values.length).as(tensor.toString()).isCloseTo(0, within(2e-3));
        assertThat(Math.sqrt(squares / values.length))
            .as(tensor.toString())
            .isCloseTo(RandomWeights.STANDARD_DEVIATION, within(2e-3));
      }
      assertThat(values(layer.inputNorm())).containsOnly(1f);
    }
  }

  @ParameterizedTest
  @MethodSource("dtypes")
  void aSavedModelComesBackBitForBit(String dtype) throws IOException {
    Path file = folder.resolve("tiny.gguf");
    try (SyntheticCheckpoint made = SyntheticCheckpoint.open("tiny", dtype)) {
      made.writeGguf(file);
      try (Checkpoint read = Checkpoint.open(file)) {
        assertThat(read.config()).isEqualTo(made.config());
        List<TensorView> expected = made.tensors();
        List<TensorView> actual = read.tensors();
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < expected.size(); i++) {
          assertThat(actual.get(i)).hasToString(expected.get(i).toString());
          assertThat(actual.get(i).segment().mismatch(expected.get(i).segment())).isEqualTo(-1);
        }
      }
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactly(file); // no temporary file stays
    }
  }

  @Test
  void theSameSeedGivesTheSameWeights() {
    try (SyntheticCheckpoint first = SyntheticCheckpoint.open("tiny", "q4_k");
        SyntheticCheckpoint second = SyntheticCheckpoint.open("tiny", "q4_k")) {
      for (int i = 0; i < first.tensors().size(); i++) {
        assertThat(first.tensors().get(i).segment().mismatch(second.tensors().get(i).segment()))
            .isEqualTo(-1);
      }
    }
  }

  @Test
  void q4KIsMixedWithQ6KAsLlamaCppDoes() {
    try (SyntheticCheckpoint checkpoint = SyntheticCheckpoint.open("tiny", "q4_k")) {
      LlamaWeights weights = checkpoint.weights();
      assertThat(weights.head().orElseThrow().dtype()).isEqualTo(DType.Q6_K);
      assertThat(weights.embedTokens().dtype()).isEqualTo(DType.Q4_K);
      assertThat(weights.layers().get(0).downProj().weight().dtype()).isEqualTo(DType.Q4_K);
      assertThat(weights.layers().get(1).downProj().weight().dtype()).isEqualTo(DType.Q6_K);
      assertThat(weights.layers().get(1).qProj().weight().dtype()).isEqualTo(DType.Q4_K);
    }
  }

  /// Every published shape can be opened; its weights are not made until asked for.
  @Test
  void openingEvenTheLargestMakesNoWeights() {
    for (String name : SyntheticCheckpoint.names()) {
      try (SyntheticCheckpoint checkpoint = SyntheticCheckpoint.open(name, "f32")) {
        LlamaConfig config = checkpoint.config();
        assertThat(config.hiddenSize() % 256).isZero();
        assertThat(config.intermediateSize() % 256).isZero();
        boolean scaled = config.ropeScaling() instanceof RopeScaling.Llama3;
        assertThat(scaled).isEqualTo(name.startsWith("llama-3"));
      }
    }
  }

  @Test
  void saysWhyThereIsNoTokenizerAndWhichNamesThereAre() {
    SyntheticCheckpoint checkpoint = SyntheticCheckpoint.open("tiny", "f16");
    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(checkpoint::tokenizer)
        .withMessageContaining("no tokenizer");
    checkpoint.close();
    checkpoint.close();
    assertThatIllegalStateException()
        .isThrownBy(checkpoint::weights)
        .withMessageContaining("synthetic tiny f16 is closed");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SyntheticCheckpoint.open("llama-9", "f16"))
        .withMessageContaining("llama-3.2-1b");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SyntheticCheckpoint.open("tiny", "q9"))
        .withMessageContaining("q4_k");
  }

  private static float[] values(TensorView tensor) {
    float[] values = new float[Math.toIntExact(tensor.numElements())];
    BlockFormats.dequantize(tensor.dtype(), tensor.segment(), 0, values, 0, values.length);
    return values;
  }
}
