package io.cusco.llama.cli;

import io.cusco.llama.cli.json.Json;
import java.util.Arrays;
import java.util.Locale;

/// One line of the result.
///
/// @param subject what ran
/// @param test [#PREFILL] or [#DECODE]
/// @param batch sequences
/// @param depth tokens in each sequence's cache at the start
/// @param tokens tokens per repeat, all sequences together
/// @param seconds one duration per repeat
/// @param bytesPerRepeat weights and KV read per repeat
/// @param flopsPerRepeat multiplications and additions per repeat
/// @param ceilings what this machine can do at most; null where it cannot be measured
record BenchRow(
    Subject subject,
    String test,
    int batch,
    int depth,
    long tokens,
    double[] seconds,
    double bytesPerRepeat,
    double flopsPerRepeat,
    Ceilings ceilings) {
  static final String PREFILL = "prefill";
  static final String DECODE = "decode";

  /// What all rows of a run share.
  ///
  /// @param copiedWeightBytes of copies that the backend keeps beside the checkpoint
  /// @param kvType as `--kv-type` has it
  /// @param overlaps whether a decoded token's step is queued before the token before it is read
  /// @param commit of this program, or "unknown"
  record Subject(
      String model,
      String dtype,
      String backend,
      String device,
      int threads,
      double loadMillis,
      long copiedWeightBytes,
      boolean deterministic,
      String kvType,
      boolean overlaps,
      String commit) {}

  /// Decoding waits for memory, prefill for arithmetic.
  boolean isDecode() {
    return test.equals(DECODE);
  }

  double medianTokensPerSecond() {
    return tokens / medianSeconds();
  }

  private double medianSeconds() {
    double[] sorted = seconds.clone();
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  private double minSeconds() {
    return Arrays.stream(seconds).min().orElseThrow();
  }

  private double maxSeconds() {
    return Arrays.stream(seconds).max().orElseThrow();
  }

  double percentOfCeiling() {
    if (ceilings == null) {
      return Double.NaN;
    }
    return isDecode()
        ? 100 * bytesPerRepeat / medianSeconds() / ceilings.readBytesPerSecond()
        : 100 * flopsPerRepeat / medianSeconds() / ceilings.flopsPerSecond();
  }

  String toJson() {
    return Json.object(json -> {
      json.writeStringProperty("model", subject.model());
      json.writeStringProperty("dtype", subject.dtype());
      json.writeStringProperty("backend", subject.backend());
      json.writeStringProperty("device", subject.device());
      json.writeNumberProperty("threads", subject.threads());
      json.writeStringProperty("test", test);
      json.writeNumberProperty("batch", batch);
      json.writeNumberProperty("depth", depth);
      json.writeNumberProperty("tokens", tokens);
      json.writeObjectPropertyStart("tokens_per_second");
      Json.rounded(json, "median", medianTokensPerSecond());
      Json.rounded(json, "min", tokens / maxSeconds());
      Json.rounded(json, "max", tokens / minSeconds());
      json.writeEndObject();
      Json.number(json, "bytes_per_second", Math.rint(bytesPerRepeat / medianSeconds()));
      Json.number(
          json,
          "ceiling_bytes_per_second",
          ceilings == null ? Double.NaN : Math.rint(ceilings.readBytesPerSecond()));
      Json.number(json, "flops_per_second", Math.rint(flopsPerRepeat / medianSeconds()));
      Json.number(
          json,
          "ceiling_flops_per_second",
          ceilings == null ? Double.NaN : Math.rint(ceilings.flopsPerSecond()));
      Json.rounded(json, "percent_of_ceiling", percentOfCeiling());
      Json.rounded(json, "load_ms", subject.loadMillis());
      json.writeNumberProperty("repacked_bytes", subject.copiedWeightBytes());
      json.writeBooleanProperty("deterministic", subject.deterministic());
      json.writeStringProperty("kv_type", subject.kvType());
      json.writeBooleanProperty("overlap", subject.overlaps());
      Json.number(json, "peak_rss_bytes", ProcessMemory.peakBytes());
      json.writeStringProperty("commit", subject.commit());
    });
  }

  static String header() {
    return "%-24s %-6s %-8s %5s %6s %7s %22s %11s %9s"
        .formatted(
            "model",
            "dtype",
            "test",
            "batch",
            "depth",
            "tokens",
            "tok/s (min..max)",
            "read",
            "ceiling");
  }

  String toText() {
    return String.format(
        Locale.ROOT,
        "%-24s %-6s %-8s %5d %6d %7d %22s %11s %9s",
        subject.model(),
        subject.dtype(),
        test,
        batch,
        depth,
        tokens,
        String.format(
            Locale.ROOT,
            "%.1f (%.1f..%.1f)",
            medianTokensPerSecond(),
            tokens / maxSeconds(),
            tokens / minSeconds()),
        Units.bytes(bytesPerRepeat / medianSeconds()) + "/s",
        ceilings == null ? "-" : String.format(Locale.ROOT, "%.1f %%", percentOfCeiling()));
  }
}
