package io.cusco.llama.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.backend.KvType;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.testkit.GoldenModels.Golden;
import io.cusco.llama.testkit.GoldenModels.Prompt;
import io.cusco.llama.testkit.Tolerance.Difference;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/// Where the figures of [Tolerance#FP8_KV] come from: the reference network, in float64 but for
/// keys and values rounded to e4m3, against the golden logits.
@Tag("slow")
class Fp8KvErrorTest {
  private static final Tolerance TWO_THIRDS =
      new Tolerance(
          "two thirds",
          Tolerance.FP8_KV.largest() * 2 / 3,
          Tolerance.FP8_KV.rms() * 2 / 3,
          Tolerance.FP8_KV.meanKl() * 2 / 3);

  @TestFactory
  Stream<DynamicTest> roundingAloneIsWithinTwoThirdsOfTheTolerance() {
    List<Golden> goldens = GoldenModels.all();
    if (goldens.isEmpty()) {
      return Stream.of(DynamicTest.dynamicTest("reference data", () -> TestData.require("models")));
    }
    return goldens.stream()
        .filter(golden -> golden.toString().contains("hf-"))
        .map(golden -> DynamicTest.dynamicTest(golden.toString(), () -> check(golden)));
  }

  private static void check(Golden golden) {
    try (Checkpoint checkpoint = Checkpoint.open(golden.checkpoint())) {
      ReferenceLlama network =
          new ReferenceLlama(checkpoint.config(), checkpoint.weights(), KvType.FP8);
      Difference difference = new Difference();
      for (Prompt prompt : golden.prompts()) {
        double[][] logits = network.forward(prompt.ids());
        for (int i = 0; i < prompt.positions().length; i++) {
          difference.add(
              floats(logits[prompt.positions()[i]]), prompt.logits()[i], golden.logitsStd());
        }
      }
      System.out.printf("%s: %s%n", golden, difference);
      assertThat(difference.within(TWO_THIRDS))
          .as("%s, allowed %s", difference, TWO_THIRDS)
          .isTrue();
    }
  }

  private static float[] floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }
}
