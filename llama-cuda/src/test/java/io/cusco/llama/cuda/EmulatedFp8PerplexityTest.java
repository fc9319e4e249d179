package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.testkit.TestData;
import io.cusco.llama.testkit.TestSteps;
import io.cusco.llama.testkit.Tolerance;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// What FP8 weights cost two trained networks, in perplexity over the same four stories that
/// `scripts/demo-model/stories.py --seed 987654 --count 4` tells: the figures of docs/fp8.md. Takes
/// minutes, and so `-Dllama.conformance=all`.
@EmulatedGpu(compute = 90)
@Tag("slow")
class EmulatedFp8PerplexityTest {
  private static final int CONTEXT = 320;
  private static final int BLOCKS = CONTEXT / 16;

  private static final Path DEMO =
      Path.of("../llama-cli/src/main/resources/io/cusco/llama/cli/demo/cusco-demo-stories.gguf");

  @Test
  void demoModel() throws IOException {
    compare(DEMO);
  }

  @Test
  void stories260K() throws IOException {
    requireAll();
    compare(TestData.require("stories260k").resolve("stories260K-F32.gguf"));
  }

  private static void requireAll() {
    assumeTrue("all".equals(System.getProperty("llama.conformance")), "-Dllama.conformance=all");
  }

  private static void compare(Path file) throws IOException {
    requireAll();
    assumeTrue(Files.exists(file), () -> "no " + file);
    List<String> stories;
    try (var in = EmulatedFp8PerplexityTest.class.getResourceAsStream("stories.txt")) {
      stories =
          List.of(new String(in.readAllBytes(), StandardCharsets.UTF_8).split("\n\n---\n\n", -1));
    }
    try (Checkpoint checkpoint = Checkpoint.open(file);
        Backend backend = new CudaBackend(BackendOptions.DEFAULT, CudaProbe.run().devices())) {
      List<int[]> texts = new ArrayList<>();
      for (String story : stories) {
        int[] ids = checkpoint.tokenizer().encode(story);
        if (ids.length > 1) {
          int[] text = new int[Math.min(CONTEXT, ids.length + 1)];
          text[0] = checkpoint.bosTokenId().orElseThrow();
          System.arraycopy(ids, 0, text, 1, text.length - 1);
          texts.add(text);
        }
      }
      double bf16 = loss(backend, checkpoint, ComputeMode.AUTO, 64, texts);
      double many = loss(backend, checkpoint, ComputeMode.FP8, 64, texts);
      double few = loss(backend, checkpoint, ComputeMode.FP8, 8, texts);
      System.out.printf(
          "%s, %d tokens: perplexity %.4f, FP8 weights and inputs %.4f, FP8 weights alone %.4f%n",
          file.getFileName(),
          texts.stream().mapToInt(ids -> ids.length - 1).sum(),
          Math.exp(bf16),
          Math.exp(many),
          Math.exp(few));
      // On a text that the network itself might have told, the divergence is the likelihood lost.
      assertThat(many - bf16).isLessThan(Tolerance.FP8.meanKl());
      assertThat(few - bf16).isLessThan(Tolerance.FP8.meanKl());
    }
  }

  /// Mean negative log-likelihood of a token.
  private static double loss(
      Backend backend, Checkpoint checkpoint, ComputeMode compute, int rows, List<int[]> texts) {
    ModelOptions options =
        new ModelOptions(
            compute,
            CONTEXT,
            rows,
            1,
            rows,
            16,
            OptionalInt.of(BLOCKS),
            Optional.empty(),
            LoadProgress.NONE);
    double sum = 0;
    int count = 0;
    try (LlamaModel model = backend.load(checkpoint.config(), checkpoint.weights(), options)) {
      float[] logits = new float[model.config().vocabSize()];
      for (int[] ids : texts) {
        for (int start = 0; start < ids.length - 1; start += rows) {
          int end = Math.min(ids.length - 1, start + rows);
          int[] part = Arrays.copyOfRange(ids, start, end);
          int[] blocks = IntStream.range(0, BLOCKS).toArray();
          model.forward(TestSteps.of(16, BLOCKS).add(part, start, blocks, part.length));
          for (int row = 0; row < part.length; row++) {
            model.copyLogits(row, logits);
            sum += Tolerance.logSumExp(logits) - logits[ids[start + row + 1]];
            count++;
          }
        }
      }
    }
    return sum / count;
  }
}
