package io.cusco.llama.cuda.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.testkit.Json;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GpuCheckReportTest {
  private static final CudaDevice DEVICE =
      new CudaDevice(0, 0, "NVIDIA  H200 (x)", "GPU-0", 9, 0, 150L << 30, 132, 232_448, 60 << 20);

  private static GpuCheckReport report(GpuTests.Outcome tests, String sanitizer) {
    return new GpuCheckReport(
        Instant.parse("2026-11-21T11:30:59Z"),
        "abc1234",
        DEVICE,
        List.of("driver: for \"CUDA\" 13.0"),
        List.of(
            new Ceilings.Rate("copy", 4e12, 4.1e12, 3.9e12, "B/s", ""),
            new Ceilings.Rate("matmul fp8", 0, 0, 0, "FLOP/s", "not on this device")),
        tests,
        List.of(new Sanitizer.Outcome("memcheck", sanitizer)));
  }

  private static GpuTests.Outcome tests(long succeeded, String... failures) {
    return new GpuTests.Outcome(
        succeeded + failures.length, succeeded, List.of(failures), List.of("c: no file"), 1.5);
  }

  @Test
  void theFileIsNamedByTimeAndDevice() {
    assertThat(report(tests(1), "clean").fileName())
        .isEqualTo("2026-11-21-1130-nvidia-h200-x.json");
  }

  @Test
  void everythingFoundIsInTheJson() {
    Map<String, Object> json =
        Json.object(Json.parse(report(tests(2, "a: wrong"), "not installed").toJson()));
    assertThat(json).containsEntry("commit", "abc1234");
    assertThat(Json.object(json.get("device"))).containsEntry("compute_capability", "9.0");
    assertThat(Json.array(json.get("facts"))).isEqualTo(List.of("driver: for \"CUDA\" 13.0"));
    List<?> ceilings = Json.array(json.get("ceilings"));
    assertThat(Json.object(ceilings.get(0)))
        .containsEntry("unit", "B/s")
        .doesNotContainKey("problem");
    assertThat(Json.object(ceilings.get(1)))
        .containsEntry("problem", "not on this device")
        .doesNotContainKey("median");
    assertThat(Json.object(json.get("tests"))).containsEntry("failures", List.of("a: wrong"));
    assertThat(Json.object(json.get("compute_sanitizer")))
        .containsEntry("memcheck", "not installed");
  }

  @Test
  void aRunIsCleanOnlyIfTestsRanAndNothingFailed() {
    assertThat(report(tests(1), "clean").isClean()).isTrue();
    assertThat(report(tests(1), "not installed").isClean()).isTrue();
    assertThat(report(tests(0), "clean").isClean()).isFalse();
    assertThat(report(tests(1, "a"), "clean").isClean()).isFalse();
    assertThat(report(tests(1), "errors").isClean()).isFalse();
  }
}
