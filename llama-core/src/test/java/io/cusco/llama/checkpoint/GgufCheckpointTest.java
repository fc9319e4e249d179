package io.cusco.llama.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.testkit.TestData;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

final class GgufCheckpointTest {

  @Test
  void everyReferenceFileOpensWithTheConfigOfItsSpec() throws IOException {
    int files = 0;
    for (Path model : ReferenceModels.folders()) {
      for (Path path : ReferenceModels.checkpoints(model)) {
        if (!path.toString().endsWith(".gguf")) {
          continue;
        }
        files++;
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
          LlamaConfig expected = ReferenceModels.config(model);
          assertThat(checkpoint).isInstanceOf(GgufCheckpoint.class);
          assertThat(withoutScaling(checkpoint.config()))
              .as(path.toString())
              .isEqualTo(withoutScaling(expected));
          if (expected.ropeScaling() instanceof RopeScaling.Llama3) {
            assertThat(checkpoint.config().ropeScaling())
                .isInstanceOf(RopeScaling.FrequencyFactors.class);
          } else {
            assertThat(checkpoint.config().ropeScaling()).isEqualTo(expected.ropeScaling());
          }
          assertThat(checkpoint.weights().layers()).hasSize(expected.numLayers());
          boolean hasBias = JsonObject.read(model.resolve("spec.json")).booleanOr("bias", false);
          assertThat(checkpoint.weights().layers().getFirst().qProj().bias().isPresent())
              .isEqualTo(hasBias);
        }
      }
    }
    System.out.println("GGUF reference files: " + files);
    assertThat(files).isPositive();
  }

  /// 128,256 tokens and 280,147 merges are skipped over, not decoded.
  @Test
  void theLlama3VocabularyIsNotDecoded() {
    Path path = TestData.require("tokenizers").resolve("llama3/llama32-bigvocab-F16.gguf");
    ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = thread.getCurrentThreadAllocatedBytes();
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      long allocated = thread.getCurrentThreadAllocatedBytes() - before;
      assertThat(checkpoint.config().vocabSize()).isEqualTo(128256);
      // An object for each token would be 3 MB at least, and twice that for the merges.
      assertThat(allocated).isLessThan(2_000_000);
    }
  }

  private static LlamaConfig withoutScaling(LlamaConfig config) {
    return new LlamaConfig(
        config.hiddenSize(),
        config.intermediateSize(),
        config.numLayers(),
        config.numAttentionHeads(),
        config.numKeyValueHeads(),
        config.headDim(),
        config.vocabSize(),
        config.maxPositionEmbeddings(),
        config.rmsNormEps(),
        config.ropeTheta(),
        new RopeScaling.None(),
        config.tieWordEmbeddings());
  }
}
