package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class SyntheticModelTest {
  private static final LlamaConfig TINY =
      new LlamaConfig(256, 512, 2, 4, 2, 64, 300, 128, 1e-5f, 1e4, new RopeScaling.None(), false);

  /// Parameter counts: the model cards, less the norms.
  @ParameterizedTest
  @CsvSource({
    "llama-3.2-1b, 1.24",
    "llama-3.2-3b, 3.21",
    "llama-3.1-8b, 8.03",
    "llama-3.1-70b, 70.6",
    "llama-3.1-405b, 405.9",
    "llama-2-7b, 6.74",
    "llama-2-13b, 13.0",
    "llama-2-70b, 69.0",
    "codellama-7b, 6.74",
    "codellama-34b, 33.7"
  })
  void shapesHaveThePublishedNumberOfParameters(String name, double billions) {
    long parameters = SyntheticModel.numParameters(SyntheticShapes.all().get(name));
    assertThat(parameters / 1e9).isBetween(billions * 0.995, billions * 1.005);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K"})
  void everyTypeFillsEveryMatrix(DType dtype) {
    try (SyntheticModel model = SyntheticModel.make(TINY, dtype)) {
      MemorySegment down = model.weights().layers().get(1).downProj().weight().segment();
      assertThat(down.byteSize()).isEqualTo(dtype.numBytes(256L * 512));
      MemorySegment tail = down.asSlice(down.byteSize() - dtype.blockBytes());
      assertThat(tail.mismatch(MemorySegment.ofArray(new byte[dtype.blockBytes()])))
          .as("the last block is not zero")
          .isNotNegative();
    }
  }

  @Test
  void scalesAreSmallNumbers() {
    MemorySegment blocks = new RandomBlocks(DType.Q8_0, 4096).pattern();
    for (long block = 0; block < blocks.byteSize(); block += DType.Q8_0.blockBytes()) {
      float scale = Float.float16ToFloat(blocks.get(ValueLayout.JAVA_SHORT_UNALIGNED, block));
      assertThat(scale).isBetween(1e-4f, 2e-4f);
    }
  }

  @Test
  void whatDoesNotFitIsRefusedBeforeItIsTouched() {
    LlamaConfig large = SyntheticShapes.all().get("llama-3.1-405b");
    assertThatThrownBy(() -> SyntheticModel.make(large, DType.F32).close())
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("1623.4");
  }
}
