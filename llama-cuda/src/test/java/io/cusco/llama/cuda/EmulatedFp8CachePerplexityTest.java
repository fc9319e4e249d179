package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.cuda.standin.StandInSettings;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.testkit.ReferenceLlama;
import io.cusco.llama.testkit.TestData;
import io.cusco.llama.testkit.TestSteps;
import io.cusco.llama.testkit.Tolerance;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/// What an FP8 cache costs trained networks: perplexity of a text, as `score` has it, with the
/// cache of the activations' type and with FP8, on the stand-in and in the reference network. The
/// figures of docs/fp8.md.
@Tag("emulated")
@EnabledIfSystemProperty(
    named = "llama.conformance",
    matches = "all",
    disabledReason = "takes a minute")
class EmulatedFp8CachePerplexityTest {
  private static final long SEED = 20261121;

  /// The logarithm of a perplexity grows, on average, by the divergence of the distributions.
  private static final double ALLOWED = Tolerance.FP8_KV.meanKl();

  /// Of the kind that stories260K was trained on, not of its training data.
  private static final String TINY_STORY =
      """
      Once upon a time, there was a little girl named Lily. She lived in a small house with her mom, \
      her dad and a brown dog. The dog was very old, but he liked to play in the garden. One day, Lily \
      saw a red ball under the big tree. She wanted to give it to the dog. "Look, I found a ball!" she \
      said. The dog was happy and ran to her. He took the ball and ran away. Lily ran after him. They \
      ran and ran until they came to the river. The ball fell into the water. The dog was sad. He \
      looked at the ball and did not know what to do. Then a boy came. His name was Tom. He had a long \
      stick. "Do not be sad," he said. "I can help you." Tom took the stick and pulled the ball out of \
      the water. Lily was so happy. "Thank you, Tom!" she said. "Do you want to play with us?" Tom \
      smiled and said yes. They played with the ball all day. When the sun went down, Lily went home \
      and told her mom about her new friend. Her mom gave her a hug and said, "It is good to help each \
      other." From that day on, Lily, Tom and the old dog played together every day. They were the best \
      of friends.\
      """;

  /// From scripts/demo-model/stories.py with a seed that made no training data.
  private static final String DEMO_STORIES =
      """
      Once upon a time there was a little crab. The crab loved to dance with the waves and to make new \
      friends.

      One morning, the crab heard a small voice. "Help! Help!" it called. The crab stopped and \
      listened. There, in a dark cave, was a little seahorse called Barnaby. Barnaby was stuck and \
      could not move.

      "I am here. I will help you," said the crab. He pulled with all his might, but it did not work. \
      The crab thought hard. He used a strong rope and pulled. One, two, three, pop! Barnaby was free. \
      "You saved me," said Barnaby. "That is what friends are for," said the crab.

      Not long after that, the crab was stuck in a hole. Who came to help? It was Barnaby!

      Once upon a time, there was a peacock who lived in a meadow full of clover. Everybody liked her \
      because she was so helpful. One winter morning, the peacock looked out of the window. Everything \
      was white! "What happened?" asked the peacock. It was the first snow of her life.

      The peacock ran outside. The snow was cold and soft. A snowflake landed on her nose, and she \
      sneezed. Then a little raccoon named Patch came by with a big smile. "Do you want to play in the \
      snow!" said Patch. They rolled three big balls of snow. They used stones for the eyes and a carrot \
      for the nose. Then they slid down the hill again and again. Whee! When it got dark, they went \
      inside and had warm milk by the fire. "Will the snow be here tomorrow?" asked the peacock. "Me \
      too," said the raccoon. The peacock and Patch played together every day. And they were all very \
      happy.\
      """;

  @Test
  void stories260k() {
    measure(TestData.require("stories260k").resolve("stories260K-F32.gguf"), TINY_STORY);
  }

  @Test
  void demoModel() {
    measure(
        Path.of("../llama-cli/src/main/resources/io/cusco/llama/cli/demo/cusco-demo-stories.gguf"),
        DEMO_STORIES);
  }

  private static void measure(Path file, String text) {
    StandIn.install()
        .reset(StandInSettings.DEFAULT.withTotalBytes(4L << 30).withComputeCapability(8, 9), SEED);
    try (Checkpoint checkpoint = Checkpoint.open(file);
        Backend backend = new CudaBackend(BackendOptions.DEFAULT, CudaProbe.run().devices())) {
      int[] ids = checkpoint.tokenizer().encode(text);
      int context = checkpoint.config().maxPositionEmbeddings();
      ids = Arrays.copyOf(ids, Math.min(ids.length, context));
      Map<KvType, Double> perplexities = new EnumMap<>(KvType.class);
      for (KvType type : KvType.values()) {
        double reference =
            perplexity(
                ids,
                new ReferenceLlama(checkpoint.config(), checkpoint.weights(), type).forward(ids));
        double measured = perplexity(ids, logits(backend, checkpoint, ids, type));
        perplexities.put(type, measured);
        System.out.printf(
            "%s, %d tokens, %s: perplexity %.4f on the stand-in, %.4f in float64%n",
            file.getFileName(), ids.length, type, measured, reference);
      }
      double ratio = perplexities.get(KvType.FP8) / perplexities.get(KvType.AUTO);
      assertThat(Math.log(ratio)).as("%s: ratio %s", file, ratio).isBetween(-ALLOWED, ALLOWED);
    }
  }

  private static double[][] logits(Backend backend, Checkpoint checkpoint, int[] ids, KvType type) {
    int blocks = Math.ceilDiv(ids.length, 16);
    ModelOptions options =
        new ModelOptions(
                ComputeMode.AUTO,
                16 * blocks,
                ids.length,
                1,
                ids.length,
                16,
                OptionalInt.of(blocks),
                Optional.empty(),
                LoadProgress.NONE)
            .withKvType(type);
    try (LlamaModel model = backend.load(checkpoint.config(), checkpoint.weights(), options)) {
      int[] table = IntStream.range(0, blocks).toArray();
      model.forward(TestSteps.of(16, blocks).add(ids, 0, table, ids.length));
      double[][] logits = new double[ids.length][checkpoint.config().vocabSize()];
      float[] row = new float[checkpoint.config().vocabSize()];
      for (int i = 0; i < ids.length; i++) {
        model.copyLogits(i, row);
        for (int j = 0; j < row.length; j++) {
          logits[i][j] = row[j];
        }
      }
      return logits;
    }
  }

  private static double perplexity(int[] ids, double[][] logits) {
    double sum = 0;
    for (int i = 1; i < ids.length; i++) {
      float[] row = new float[logits[i - 1].length];
      for (int j = 0; j < row.length; j++) {
        row[j] = (float) logits[i - 1][j];
      }
      sum += Tolerance.logSumExp(row) - row[ids[i]];
    }
    return Math.exp(sum / (ids.length - 1));
  }
}
