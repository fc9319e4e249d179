package io.cusco.llama.cuda.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.gpucheck.GpuCheckReport.PartEnd;
import io.cusco.llama.cuda.gpucheck.Rows.Row;
import io.cusco.llama.cuda.gpucheck.Rows.Section;
import io.cusco.llama.testkit.Json;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GpuCheckReportTest {
  private static final CudaDevice DEVICE =
      new CudaDevice(0, 0, "NVIDIA  H200 (x)", "GPU-0", 9, 0, 150L << 30, 132, 232_448, 60 << 20);

  private static GpuCheckReport empty() {
    return new GpuCheckReport(
        Instant.parse("2026-11-21T11:30:59Z"),
        "abc1234",
        DEVICE,
        List.of("driver: for \"CUDA\" 13.0"));
  }

  /// A report over one test.
  private static GpuCheckReport withTest(String status) {
    GpuCheckReport report = empty();
    report.add(
        List.of(
            new Row(Section.TESTS, Rows.of("found", 3)),
            new Row(Section.TESTS, Rows.of("status", status, "test", "a"))));
    return report;
  }

  private static Row parity(boolean within) {
    return new Row(Section.PARITY, Rows.of("model", "m", "within", within));
  }

  @Test
  void theFileIsNamedByTimeAndDevice() {
    assertThat(empty().fileName()).isEqualTo("2026-11-21-1130-nvidia-h200-x.json");
  }

  @Test
  void everythingFoundIsInTheJson() {
    GpuCheckReport report = withTest("FAILED");
    report.add(
        List.of(
            new Row(Section.CEILINGS, Rows.of("name", "copy", "median", 4e12)),
            new Row(Section.BENCHMARKS, Rows.of("id", "K1", "problem", "no room")),
            new Row(Section.GPU_STATE, Rows.of("when", "models, before"))));
    report.add(Part.CEILINGS, new PartEnd(12.5, PartEnd.DONE));
    report.add(new Sanitizer.Outcome("memcheck", "not installed"));
    Map<String, Object> json = Json.object(Json.parse(report.toJson()));
    assertThat(json).containsEntry("commit", "abc1234");
    assertThat(Json.object(json.get("device"))).containsEntry("compute_capability", "9.0");
    assertThat(Json.array(json.get("facts"))).isEqualTo(List.of("driver: for \"CUDA\" 13.0"));
    assertThat(Json.array(json.get("parts")))
        .isEqualTo(
            List.of(Map.of("name", "ceilings", "share_s", 30, "seconds", 12.5, "outcome", "done")));
    assertThat(Json.array(json.get("ceilings")))
        .isEqualTo(List.of(Map.of("name", "copy", "median", 4e12)));
    assertThat(Json.object(json.get("tests")))
        .containsEntry("found", 3)
        .containsEntry("succeeded", 0)
        .containsEntry("failures", List.of("a"));
    assertThat(Json.array(json.get("benchmarks")))
        .isEqualTo(List.of(Map.of("id", "K1", "problem", "no room")));
    assertThat(Json.object(json.get("compute_sanitizer")))
        .containsEntry("memcheck", "not installed");
    assertThat(Json.array(json.get("gpu_state")))
        .isEqualTo(List.of(Map.of("when", "models, before")));
  }

  @Test
  void aRunIsCleanOnlyIfTestsRanAndNothingFailed() {
    assertThat(withTest("SUCCESSFUL").isClean()).isTrue();
    assertThat(withTest("ABORTED").isClean()).isFalse();
    assertThat(withTest("FAILED").isClean()).isFalse();
    GpuCheckReport report = withTest("SUCCESSFUL");
    report.add(Part.MODELS, new PartEnd(130, PartEnd.SHARE_SPENT));
    report.add(new Sanitizer.Outcome("memcheck", "not installed"));
    report.add(List.of(parity(true)));
    assertThat(report.isClean()).isTrue();
    report.add(Part.KERNELS, new PartEnd(1, "stopped after 70 s"));
    assertThat(report.isClean()).isFalse();
  }

  @Test
  void aRunIsNotCleanWithLogitsOutOfToleranceOrASanitizersErrors() {
    GpuCheckReport logits = withTest("SUCCESSFUL");
    logits.add(List.of(parity(false)));
    assertThat(logits.isClean()).isFalse();
    GpuCheckReport sanitized = withTest("SUCCESSFUL");
    sanitized.add(new Sanitizer.Outcome("memcheck", Sanitizer.ERRORS));
    assertThat(sanitized.isClean()).isFalse();
  }
}
