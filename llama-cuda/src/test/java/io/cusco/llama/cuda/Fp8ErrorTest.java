package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.backend.KvType;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.testkit.GoldenModels;
import io.cusco.llama.testkit.GoldenModels.Golden;
import io.cusco.llama.testkit.GoldenModels.Prompt;
import io.cusco.llama.testkit.ReferenceLlama;
import io.cusco.llama.testkit.TestData;
import io.cusco.llama.testkit.Tolerance;
import io.cusco.llama.testkit.Tolerance.Difference;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/// Where the figures of [Tolerance#FP8] come from: the reference network, in float64 but for
/// weights and the rows that meet them rounded to e4m3, against the golden logits.
@Tag("slow")
class Fp8ErrorTest {
  private static final Tolerance TWO_THIRDS =
      new Tolerance(
          "two thirds",
          Tolerance.FP8.largest() * 2 / 3,
          Tolerance.FP8.rms() * 2 / 3,
          Tolerance.FP8.meanKl() * 2 / 3);

  @TestFactory
  Stream<DynamicTest> roundingAloneIsWithinTwoThirdsOfTheTolerance() {
    List<Golden> goldens = GoldenModels.all();
    if (goldens.isEmpty()) {
      return Stream.of(DynamicTest.dynamicTest("reference data", () -> TestData.require("models")));
    }
    return goldens.stream()
        .filter(golden ->
            golden.toString().contains("hf-bf16") || golden.toString().startsWith("kquant/"))
        .map(golden -> DynamicTest.dynamicTest(golden.toString(), () -> check(golden)));
  }

  private static void check(Golden golden) {
    try (Checkpoint checkpoint = Checkpoint.open(golden.checkpoint());
        Arena arena = Arena.ofConfined()) {
      ReferenceLlama network =
          new ReferenceLlama(
              checkpoint.config(),
              Fp8Network.rounded(checkpoint.weights(), arena),
              (_, _, _, _, _) -> {},
              KvType.AUTO,
              Fp8Network::rounded);
      Difference difference = new Difference();
      for (Prompt prompt : golden.prompts()) {
        double[][] logits = network.forward(prompt.ids());
        for (int i = 0; i < prompt.positions().length; i++) {
          double[] row = logits[prompt.positions()[i]];
          float[] values = new float[row.length];
          for (int j = 0; j < row.length; j++) {
            values[j] = (float) row[j];
          }
          difference.add(values, prompt.logits()[i], golden.logitsStd());
        }
      }
      System.out.printf("%s: %s%n", golden, difference);
      assertThat(difference.within(TWO_THIRDS))
          .as("%s, allowed %s", difference, TWO_THIRDS)
          .isTrue();
    }
  }
}
