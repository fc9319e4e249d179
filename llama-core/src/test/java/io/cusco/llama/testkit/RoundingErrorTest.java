package io.cusco.llama.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.testkit.GoldenModels.Golden;
import io.cusco.llama.testkit.GoldenModels.Prompt;
import io.cusco.llama.testkit.Tolerance.Difference;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/// Where the figures of a tolerance come from: the reference network, in float64 but for what a
/// backend rounds, against the golden logits. The tolerance is half as much again.
@Tag("slow")
public abstract class RoundingErrorTest {
  private final Tolerance twoThirds;

  protected RoundingErrorTest(Tolerance tolerance) {
    twoThirds =
        new Tolerance(
            "two thirds",
            tolerance.largest() * 2 / 3,
            tolerance.rms() * 2 / 3,
            tolerance.meanKl() * 2 / 3);
  }

  /// Whether a golden model has something to round.
  protected abstract boolean includes(Golden golden);

  /// @param arena of rounded weights
  protected abstract ReferenceLlama network(Checkpoint checkpoint, Arena arena);

  @TestFactory
  Stream<DynamicTest> roundingAloneIsWithinTwoThirdsOfTheTolerance() {
    List<Golden> goldens = GoldenModels.all();
    if (goldens.isEmpty()) {
      return Stream.of(DynamicTest.dynamicTest("reference data", () -> TestData.require("models")));
    }
    return goldens.stream()
        .filter(this::includes)
        .map(golden -> DynamicTest.dynamicTest(golden.toString(), () -> check(golden)));
  }

  private void check(Golden golden) {
    try (Checkpoint checkpoint = Checkpoint.open(golden.checkpoint());
        Arena arena = Arena.ofConfined()) {
      ReferenceLlama network = network(checkpoint, arena);
      Difference difference = new Difference();
      for (Prompt prompt : golden.prompts()) {
        double[][] logits = network.forward(prompt.ids());
        for (int i = 0; i < prompt.positions().length; i++) {
          difference.add(
              floats(logits[prompt.positions()[i]]), prompt.logits()[i], golden.logitsStd());
        }
      }
      System.out.printf("%s: %s%n", golden, difference);
      assertThat(difference.within(twoThirds)).as("%s, allowed %s", difference, twoThirds).isTrue();
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
