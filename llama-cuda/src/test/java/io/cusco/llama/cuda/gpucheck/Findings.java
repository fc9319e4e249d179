package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.testkit.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Predicate;

/// What earlier parts of the same run have measured: the denominators of every percentage.
final class Findings {
  private final Map<String, Object> report;

  private Findings(Map<String, Object> report) {
    this.report = report;
  }

  /// @param report the run's JSON file so far
  static Findings read(Path report) {
    return new Findings(Files.exists(report) ? Json.object(Json.read(report)) : Map.of());
  }

  /// Bytes per second, read and written.
  OptionalDouble copyRate() {
    return number("ceilings", row -> row.get("name").equals(Ceilings.COPY), "median");
  }

  /// FLOP per second of a large product of bfloat16 matrices.
  OptionalDouble productRate() {
    return number(
        "ceilings", row -> ((String) row.get("name")).startsWith(Ceilings.BF16_PRODUCT), "median");
  }

  /// FLOP per second of a large product of FP8 matrices, scaled as the model does it if it can.
  OptionalDouble fp8Rate() {
    OptionalDouble perRow =
        number("ceilings", row -> ((String) row.get("name")).contains("scale per row"), "median");
    return perRow.isPresent()
        ? perRow
        : number(
            "ceilings", row -> ((String) row.get("name")).contains("scale per tensor"), "median");
  }

  /// Milliseconds of one run of a benchmark.
  OptionalDouble medianMillis(String id, String name) {
    return number(
        "benchmarks", row -> row.get("id").equals(id) && row.get("name").equals(name), "median_ms");
  }

  private OptionalDouble number(
      String section, Predicate<Map<String, Object>> which, String field) {
    List<?> rows = Json.array(report.getOrDefault(section, List.of()));
    return rows.stream()
        .map(Json::object)
        .filter(which)
        .filter(row -> row.containsKey(field))
        .mapToDouble(row -> ((Number) row.get(field)).doubleValue())
        .findFirst();
  }
}
