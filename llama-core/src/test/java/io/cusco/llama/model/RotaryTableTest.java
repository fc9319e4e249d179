package io.cusco.llama.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

final class RotaryTableTest {
  private static final RopeScaling LLAMA_3_1 = new RopeScaling.Llama3(8, 1, 4, 8192);

  /// Expected values: 60-digit decimal arithmetic (Python's decimal, series for pi, sin, cos) of
  /// Meta's `apply_scaling` with theta 500000, head size 128, factor 8, low 1, high 4, original
  /// 8192; position 8193.
  @Test
  void ropeMatchesMetaForLlama31AtPosition8193() {
    int[] pairs = {0, 1, 17, 28, 29, 30, 33, 34, 35, 63};
    double[] cosines = {
      0.962793459375,
      0.15398050008,
      0.943159951013,
      0.382185811227,
      0.454628141446,
      0.241925405957,
      -0.836630987119,
      0.108070340954,
      0.708842489796,
      0.999996838971
    };
    double[] sines = {
      -0.270238329228,
      0.988073886708,
      -0.332339144258,
      0.924085496963,
      -0.890681342011,
      -0.970294851039,
      0.547766913379,
      0.994143249942,
      0.705366801501,
      0.00251436841338
    };
    try (Arena arena = Arena.ofConfined()) {
      RotaryTable table = RotaryTable.of(config(128, 500000, LLAMA_3_1), 8194, arena);
      for (int i = 0; i < pairs.length; i++) {
        // One rounding to float32, and 8193 times the last bit of a double frequency.
        assertThat((double) at(table.cos(), table, 8193, pairs[i]))
            .as("cos of pair %d", pairs[i])
            .isCloseTo(cosines[i], within(6.1e-8));
        assertThat((double) at(table.sin(), table, 8193, pairs[i]))
            .as("sin of pair %d", pairs[i])
            .isCloseTo(sines[i], within(6.1e-8));
      }
    }
  }

  /// A wavelength of 2 pi / f is kept below original / high, divided by the factor above original /
  /// low: the definition in Meta's own terms, independent of the code's.
  @Test
  void scalingKeepsShortWavelengthsAndStretchesLongOnes() {
    double[] plain = RotaryTable.inverseFrequencies(config(128, 500000, new RopeScaling.None()));
    double[] scaled = RotaryTable.inverseFrequencies(config(128, 500000, LLAMA_3_1));
    int blended = 0;
    for (int i = 0; i < plain.length; i++) {
      double wavelength = 2 * Math.PI / plain[i];
      if (wavelength < 8192 / 4.0) {
        assertThat(scaled[i]).isEqualTo(plain[i]);
      } else if (wavelength > 8192 / 1.0) {
        assertThat(scaled[i]).isEqualTo(plain[i] / 8);
      } else {
        blended++;
        assertThat(scaled[i]).isBetween(plain[i] / 8, plain[i]);
      }
    }
    assertThat(blended).isPositive();
  }

  @Test
  void linearScalingDividesEveryFrequency() {
    double[] plain = RotaryTable.inverseFrequencies(config(16, 10000, new RopeScaling.None()));
    double[] scaled = RotaryTable.inverseFrequencies(config(16, 10000, new RopeScaling.Linear(4)));
    for (int i = 0; i < plain.length; i++) {
      assertThat(plain[i]).isCloseTo(Math.pow(10000, -i / 8.0), within(1e-15));
      assertThat(scaled[i]).isEqualTo(plain[i] / 4);
    }
  }

  @Test
  void frequencyFactorsDivideEachPairByItsOwn() {
    RopeScaling factors = new RopeScaling.FrequencyFactors(new float[] {1, 2, 4, 8});
    double[] scaled = RotaryTable.inverseFrequencies(config(8, 10000, factors));
    assertThat(scaled)
        .containsExactly(new double[] {1.0, 0.1 / 2, 0.01 / 4, 0.001 / 8}, within(1e-12));
  }

  @Test
  void everyRowOfATableLongerThanOneChunkIsFilled() {
    try (Arena arena = Arena.ofConfined()) {
      RotaryTable table = RotaryTable.of(config(6, 10000, new RopeScaling.None()), 2500, arena);
      assertThat(table.halfDim()).isEqualTo(3);
      assertThat(table.maxPositions()).isEqualTo(2500);
      for (int position : new int[] {0, 1, 1023, 1024, 2047, 2048, 2499}) {
        for (int pair = 0; pair < 3; pair++) {
          double angle = position / Math.pow(10000, pair / 3.0);
          assertThat((double) at(table.cos(), table, position, pair))
              .isCloseTo(Math.cos(angle), within(6.1e-8));
          assertThat((double) at(table.sin(), table, position, pair))
              .isCloseTo(Math.sin(angle), within(6.1e-8));
        }
      }
    }
  }

  @Test
  void refusesAnEmptyTable() {
    LlamaConfig config = config(8, 10000, new RopeScaling.None());
    try (Arena arena = Arena.ofConfined()) {
      assertThatIllegalArgumentException().isThrownBy(() -> RotaryTable.of(config, 0, arena));
    }
  }

  private static float at(MemorySegment table, RotaryTable shape, int position, int pair) {
    return table.getAtIndex(ValueLayout.JAVA_FLOAT, (long) position * shape.halfDim() + pair);
  }

  private static LlamaConfig config(int headDim, double theta, RopeScaling scaling) {
    return new LlamaConfig(headDim, 8, 1, 1, 1, headDim, 16, 131072, 1e-5f, theta, scaling, false);
  }
}
