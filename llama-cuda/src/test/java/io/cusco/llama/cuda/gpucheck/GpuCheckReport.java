package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.cuda.driver.CudaDevice;
import java.io.StringWriter;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/// What one run found, as `docs/gpu-results` keeps it.
///
/// @param commit of the sources that ran
/// @param facts driver, cuBLAS and devices in words
record GpuCheckReport(
    Instant time,
    String commit,
    CudaDevice device,
    List<String> facts,
    List<Ceilings.Rate> ceilings,
    GpuTests.Outcome tests,
    List<Sanitizer.Outcome> sanitizer) {

  private static final DateTimeFormatter STAMP =
      DateTimeFormatter.ofPattern("yyyy-MM-dd-HHmm", Locale.ROOT).withZone(ZoneOffset.UTC);

  GpuCheckReport {
    facts = List.copyOf(facts);
    ceilings = List.copyOf(ceilings);
    sanitizer = List.copyOf(sanitizer);
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

  /// Whether tests ran, none failed, and no sanitizer found an error.
  boolean isClean() {
    return tests.succeeded() > 0
        && tests.failures().isEmpty()
        && sanitizer.stream().noneMatch(outcome -> outcome.outcome().equals("errors"));
  }

  String toJson() {
    StringWriter text = new StringWriter();
    try (JsonGenerator json =
        JsonFactory.builder().build().createGenerator(ObjectWriteContext.empty(), text)) {
      json.writeStartObject();
      json.writeStringProperty("time", time.toString());
      json.writeStringProperty("commit", commit);
      writeDevice(json);
      writeLines(json, "facts", facts);
      writeCeilings(json);
      writeTests(json);
      json.writeName("compute_sanitizer");
      json.writeStartObject();
      for (Sanitizer.Outcome outcome : sanitizer) {
        json.writeStringProperty(outcome.tool(), outcome.outcome());
      }
      json.writeEndObject();
      json.writeEndObject();
    }
    return text + "\n";
  }

  private void writeDevice(JsonGenerator json) {
    json.writeName("device");
    json.writeStartObject();
    json.writeStringProperty("name", device.name());
    json.writeStringProperty(
        "compute_capability", device.computeMajor() + "." + device.computeMinor());
    json.writeNumberProperty("memory_bytes", device.totalBytes());
    json.writeNumberProperty("multiprocessors", device.multiprocessors());
    json.writeNumberProperty("l2_bytes", device.l2CacheBytes());
    json.writeEndObject();
  }

  private void writeCeilings(JsonGenerator json) {
    json.writeName("ceilings");
    json.writeStartArray();
    for (Ceilings.Rate rate : ceilings) {
      json.writeStartObject();
      json.writeStringProperty("name", rate.name());
      json.writeStringProperty("unit", rate.unit());
      if (rate.problem().isEmpty()) {
        json.writeNumberProperty("median", rate.median());
        json.writeNumberProperty("best", rate.best());
        json.writeNumberProperty("worst", rate.worst());
      } else {
        json.writeStringProperty("problem", rate.problem());
      }
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private void writeTests(JsonGenerator json) {
    json.writeName("tests");
    json.writeStartObject();
    json.writeNumberProperty("found", tests.found());
    json.writeNumberProperty("succeeded", tests.succeeded());
    json.writeNumberProperty("seconds", tests.seconds());
    writeLines(json, "failures", tests.failures());
    writeLines(json, "not_run", tests.aborted());
    json.writeEndObject();
  }

  private static void writeLines(JsonGenerator json, String name, List<String> lines) {
    json.writeName(name);
    json.writeStartArray();
    lines.forEach(json::writeString);
    json.writeEndArray();
  }
}
