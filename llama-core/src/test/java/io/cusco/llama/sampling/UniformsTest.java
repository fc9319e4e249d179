package io.cusco.llama.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class UniformsTest {
  private static final int DRAWS = 1_000_000;
  private static final int BINS = 256;

  /// Mean of chi-square is BINS - 1 = 255, its standard deviation sqrt(2 * 255) = 22.6; the numbers
  /// are fixed, so this either always passes or never.
  private static final double MAX_CHI_SQUARE = 255 + 4 * 22.6;

  private interface Numbers {
    double at(int index);
  }

  @Test
  void valuesStayTheSameForEver() {
    // Computed with a few lines of Python integers from the description in Uniforms.
    assertThat(Uniforms.at(0, 0)).isEqualTo(0.6524484863740322);
    assertThat(Uniforms.at(0, 1)).isEqualTo(0.7012121095215252);
    assertThat(Uniforms.at(1, 0)).isEqualTo(0.36818951565166946);
    assertThat(Uniforms.at(42, 1000)).isEqualTo(0.6952598398323256);
    assertThat(Uniforms.at(-1, 131071)).isEqualTo(0.8258740021392166);
  }

  @Test
  void seedsOfSamplesStayTheSameForEver() {
    // From Python integers as well.
    assertThat(Uniforms.seedOfSample(42, 0)).isEqualTo(42);
    assertThat(Uniforms.seedOfSample(0, 1)).isEqualTo(-6523613405836042406L);
    assertThat(Uniforms.seedOfSample(0, 2)).isEqualTo(-5438901102636068674L);
    assertThat(Uniforms.seedOfSample(42, 7)).isEqualTo(-6909241301602087792L);
    assertThat(Uniforms.seedOfSample(-1, 1023)).isEqualTo(-679997669154774099L);
  }

  @Test
  void samplesAreIndependentOfEachOtherAndOfNeighbouringSeeds() {
    assertThat(chiSquare(i -> Uniforms.at(Uniforms.seedOfSample(1, i), 9)))
        .isLessThan(MAX_CHI_SQUARE);
    assertThat(
            chiSquare(i ->
                pair(
                    Uniforms.at(Uniforms.seedOfSample(i, 0), 9),
                    Uniforms.at(Uniforms.seedOfSample(i, 1), 9))))
        .isLessThan(MAX_CHI_SQUARE);
    assertThat(
            chiSquare(i ->
                pair(
                    Uniforms.at(Uniforms.seedOfSample(i, 1), 9),
                    Uniforms.at(Uniforms.seedOfSample(i + 1, 2), 9))))
        .isLessThan(MAX_CHI_SQUARE);
  }

  @Test
  void positionsOfOneSeedAreUniform() {
    assertThat(chiSquare(i -> Uniforms.at(42, i))).isLessThan(MAX_CHI_SQUARE);
  }

  @Test
  void neighbouringSeedsAreUniform() {
    assertThat(chiSquare(i -> Uniforms.at(i, 17))).isLessThan(MAX_CHI_SQUARE);
  }

  @Test
  void lowBitsAreUniform() {
    assertThat(chiSquare(i -> Uniforms.at(7, i) * 0x1.0p40 % 1)).isLessThan(MAX_CHI_SQUARE);
  }

  @Test
  void neighboursAreIndependent() {
    // 16 x 16 cells of pairs: of positions, of seeds, and along the diagonal, where a seed that is
    // merely added to the position would repeat itself.
    assertThat(chiSquare(i -> pair(Uniforms.at(3, i), Uniforms.at(3, i + 1))))
        .isLessThan(MAX_CHI_SQUARE);
    assertThat(chiSquare(i -> pair(Uniforms.at(i, 5), Uniforms.at(i + 1, 5))))
        .isLessThan(MAX_CHI_SQUARE);
    assertThat(chiSquare(i -> pair(Uniforms.at(i, 5), Uniforms.at(i + 1, 4))))
        .isLessThan(MAX_CHI_SQUARE);
  }

  @Test
  void staysInTheHalfOpenUnitInterval() {
    for (int i = 0; i < DRAWS; i++) {
      assertThat(Uniforms.at(-i, Integer.MAX_VALUE - i)).isGreaterThanOrEqualTo(0).isLessThan(1);
    }
  }

  private static double pair(double first, double second) {
    return (Math.floor(first * 16) * 16 + Math.floor(second * 16)) / 256;
  }

  private static double chiSquare(Numbers numbers) {
    int[] counts = new int[BINS];
    for (int i = 0; i < DRAWS; i++) {
      counts[(int) (numbers.at(i) * BINS)]++;
    }
    double expected = (double) DRAWS / BINS;
    double sum = 0;
    for (int count : counts) {
      sum += (count - expected) * (count - expected) / expected;
    }
    return sum;
  }
}
