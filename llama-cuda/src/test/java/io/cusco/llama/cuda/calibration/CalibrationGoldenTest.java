package io.cusco.llama.cuda.calibration;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// What is recorded is read back, and compared as strictly as its form says.
class CalibrationGoldenTest {
  @Test
  void aRecordingIsReadAsWritten() throws IOException {
    CalibrationGolden golden =
        new CalibrationGolden(
            "a GPU", "a driver", "2026-11-21", Map.of("add.s32", new byte[] {1, 2, 3}));
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    golden.write(file);
    CalibrationGolden read = CalibrationGolden.read(new ByteArrayInputStream(file.toByteArray()));
    assertThat(read).hasToString("a GPU, driver a driver, 2026-11-21");
    assertThat(read.results().get("add.s32")).containsExactly(1, 2, 3);
  }

  @Test
  void definedBitsHaveToBeEqual() {
    CalibrationForm form = form("add.s32");
    byte[] golden = cells(form);
    byte[] actual = golden.clone();
    assertThat(CalibrationComparison.of(form, golden, actual).problem()).isEmpty();
    actual[5 * CalibrationForm.CELL_BYTES] ^= 1;
    assertThat(CalibrationComparison.of(form, golden, actual).problem().orElseThrow())
        .contains("add.s32, row 5, inputs [");
  }

  @Test
  void approximateResultsMayDifferByTheirUlps() {
    CalibrationForm form = form("ex2.approx.f32");
    assertThat(form.ulps()).isEqualTo(2);
    byte[] golden = cells(form);
    byte[] actual = golden.clone();
    put(golden, 3, 1f);
    put(actual, 3, Math.nextUp(Math.nextUp(1f)));
    assertThat(CalibrationComparison.of(form, golden, actual))
        .satisfies(result -> {
          assertThat(result.problem()).isEmpty();
          assertThat(result.worstUlps()).isEqualTo(2);
        });
    put(actual, 3, Math.nextDown(Math.nextDown(Math.nextDown(1f))));
    assertThat(CalibrationComparison.of(form, golden, actual).problem()).isPresent();
  }

  @Test
  void everyNanOfAFloatIsTheSameAndNoNumber() {
    CalibrationForm form = form("add.f32");
    byte[] golden = cells(form);
    byte[] actual = golden.clone();
    put(golden, 0, Float.NaN);
    put(actual, 0, Float.intBitsToFloat(0x7FFFFFFF));
    assertThat(CalibrationComparison.of(form, golden, actual).problem()).isEmpty();
    put(actual, 0, 0f);
    assertThat(CalibrationComparison.of(form, golden, actual).problem()).isPresent();
  }

  @Test
  void inputsDependOnTheFormAlone() {
    assertThat(CalibrationInputs.of(form("add.s32")))
        .isEqualTo(CalibrationInputs.of(form("add.s32")))
        .isNotEqualTo(CalibrationInputs.of(form("sub.s32")));
  }

  private static CalibrationForm form(String name) {
    return CalibrationForms.all().stream()
        .filter(form -> form.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  private static byte[] cells(CalibrationForm form) {
    return new byte[CalibrationInputs.ROWS * form.outputRowBytes()];
  }

  private static void put(byte[] cells, int row, float value) {
    ByteBuffer.wrap(cells)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putFloat(row * CalibrationForm.CELL_BYTES, value);
  }
}
