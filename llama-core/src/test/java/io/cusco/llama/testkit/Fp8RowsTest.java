package io.cusco.llama.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Fp8RowsTest {
  /// By hand from the format: three bits of mantissa, steps of 2^-9 below 2^-6, no infinity.
  @ParameterizedTest
  @CsvSource({
    "1, 1",
    "1.0625, 1",
    "1.06251, 1.125",
    "1.1875, 1.25",
    "-17, -16",
    "-17.1, -18",
    "448, 448",
    "463, 448",
    "1e9, 448",
    "0.015625, 0.015625",
    "0.003, 0.00390625",
    "0.0009765625, 0",
    "0, 0",
  })
  void nearestNumbersAreThoseOfTheFormat(double value, double expected) {
    assertThat(Fp8Rows.nearest(value)).isEqualTo(expected);
  }

  @Test
  void aRowIsScaledByThePowerOfTwoThatItsLargestElementNeeds() {
    assertThat(Fp8Rows.scale(new double[] {1, -448}, 0, 2)).isEqualTo(1);
    assertThat(Fp8Rows.scale(new double[] {449, 3}, 0, 2)).isEqualTo(2);
    assertThat(Fp8Rows.scale(new double[] {0, 9, 0.5, -0.25}, 2, 2)).isEqualTo(0x1p-9);
    assertThat(Fp8Rows.scale(new double[2], 0, 2)).isEqualTo(0x1p-24);
    double[] token = {100, 3.3, 1e-3, 1.01e-3};
    Fp8Rows.round(token, 2);
    assertThat(token).containsExactly(96, 3.25, 0x1p-10, 0x1p-10);
  }
}
