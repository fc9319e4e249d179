package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.gpucheck.Rows.Row;
import io.cusco.llama.cuda.gpucheck.Rows.Section;
import io.cusco.llama.testkit.Json;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/// What one run has found so far, as `docs/gpu-results` keeps it and describes it.
final class GpuCheckReport {
  private static final DateTimeFormatter STAMP =
      DateTimeFormatter.ofPattern("yyyy-MM-dd-HHmm", Locale.ROOT).withZone(ZoneOffset.UTC);

  private final Instant time;
  private final String commit;
  private final CudaDevice device;
  private final List<String> facts;
  private final Map<Part, PartEnd> parts = new EnumMap<>(Part.class);
  private final Map<Section, List<Map<String, Object>>> sections = new EnumMap<>(Section.class);
  private final Map<String, String> sanitizer = new LinkedHashMap<>();

  /// @param commit of the sources that run
  /// @param facts driver, cuBLAS and devices in words
  GpuCheckReport(Instant time, String commit, CudaDevice device, List<String> facts) {
    this.time = time;
    this.commit = commit;
    this.device = device;
    this.facts = List.copyOf(facts);
    for (Section section : Section.values()) {
      sections.put(section, new ArrayList<>());
    }
  }

  /// How a part ended.
  ///
  /// @param outcome "done", "its share was spent", "failed", or what else happened to it
  record PartEnd(double seconds, String outcome) {
    static final String DONE = "done";
    static final String SHARE_SPENT = "its share was spent";

    boolean isOrderly() {
      return outcome.equals(DONE) || outcome.equals(SHARE_SPENT);
    }
  }

  void add(Collection<Row> rows) {
    rows.forEach(row -> sections.get(row.section()).add(row.values()));
  }

  void add(Part part, PartEnd end) {
    parts.put(part, end);
  }

  void add(Sanitizer.Outcome outcome) {
    sanitizer.put(outcome.tool(), outcome.outcome());
  }

  /// "2026-11-21-1130-nvidia-h200.json".
  String fileName() {
    String slug =
        device
            .name()
            .toLowerCase(Locale.ROOT)
            .replaceAll("[^a-z0-9]+", " ")
            .strip()
            .replace(" ", "-");
    return "%s-%s.json".formatted(STAMP.format(time), slug);
  }

  /// Whether tests ran, none failed, no sanitizer found an error, every part came to its own end,
  /// and no logits were out of tolerance.
  boolean isClean() {
    return !tests("SUCCESSFUL").isEmpty()
        && tests("FAILED").isEmpty()
        && parts.values().stream().allMatch(PartEnd::isOrderly)
        && !sanitizer.containsValue(Sanitizer.ERRORS)
        && sections.get(Section.PARITY).stream()
            .noneMatch(row -> Boolean.FALSE.equals(row.get("within")));
  }

  private List<String> tests(String status) {
    return sections.get(Section.TESTS).stream()
        .filter(row -> status.equals(row.get("status")))
        .map(row -> (String) row.get("test"))
        .toList();
  }

  /// One line for the log.
  String testsLine() {
    return "%s tests, %d passed, %d failed, %d not run"
        .formatted(
            testsFound(),
            tests("SUCCESSFUL").size(),
            tests("FAILED").size(),
            tests("ABORTED").size());
  }

  private Object testsFound() {
    return sections.get(Section.TESTS).stream()
        .filter(row -> row.containsKey("found"))
        .map(row -> row.get("found"))
        .findFirst()
        .orElse(0);
  }

  String toJson() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("time", time.toString());
    json.put("commit", commit);
    json.put(
        "device",
        Rows.of(
            "name", device.name(),
            "compute_capability", device.computeMajor() + "." + device.computeMinor(),
            "memory_bytes", device.totalBytes(),
            "multiprocessors", device.multiprocessors(),
            "l2_bytes", device.l2CacheBytes()));
    json.put("facts", facts);
    List<Object> ends = new ArrayList<>();
    parts.forEach((part, end) ->
        ends.add(
            Rows.of(
                "name", part.name().toLowerCase(Locale.ROOT),
                "share_s", part.seconds(),
                "seconds", end.seconds(),
                "outcome", end.outcome())));
    json.put("parts", ends);
    json.put("ceilings", sections.get(Section.CEILINGS));
    json.put(
        "tests",
        Rows.of(
            "found", testsFound(),
            "succeeded", tests("SUCCESSFUL").size(),
            "failures", tests("FAILED"),
            "not_run", tests("ABORTED")));
    json.put("parity", sections.get(Section.PARITY));
    json.put("benchmarks", sections.get(Section.BENCHMARKS));
    json.put("compute_sanitizer", sanitizer);
    json.put("gpu_state", sections.get(Section.GPU_STATE));
    return json.entrySet().stream()
        .map(entry -> "%s: %s".formatted(Json.write(entry.getKey()), lines(entry.getValue())))
        .collect(Collectors.joining(",\n", "{\n", "\n}\n"));
  }

  /// An element of a list per line, for people and for `diff`.
  private static String lines(Object value) {
    return value instanceof List<?> list && !list.isEmpty()
        ? list.stream().map(Json::write).collect(Collectors.joining(",\n  ", "[\n  ", "\n]"))
        : Json.write(value);
  }
}
