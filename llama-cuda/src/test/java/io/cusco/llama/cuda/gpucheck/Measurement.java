package io.cusco.llama.cuda.gpucheck;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/// One row of benchmarks.
///
/// @param id of the goal that it belongs to: K1 .. K3, D1 .. D4, P1
/// @param name what ran, with its sizes
/// @param clock "gpu" for events around queued work, "wall" for a call that waits
/// @param timing of one run; empty where there is none
/// @param rate what a run of median length makes in a second, in `rateUnit`
/// @param percentOf by name, what the rate (or a time) was compared with and the percentage of it
/// @param remark why there is no timing, or what is special about it
record Measurement(
    String id,
    String name,
    String clock,
    Optional<Timing> timing,
    double rate,
    String rateUnit,
    Map<String, Double> percentOf,
    String remark) {

  Measurement {
    percentOf = new LinkedHashMap<>(percentOf);
  }

  /// @param work what one run makes, in units of which `rateUnit` is the number per second
  static Measurement of(
      String id, String name, String clock, Timing timing, double work, String rateUnit) {
    return new Measurement(
        id, name, clock, Optional.of(timing), work / timing.median(), rateUnit, Map.of(), "");
  }

  static Measurement missing(String id, String name, String problem) {
    return new Measurement(id, name, "", Optional.empty(), 0, "", Map.of(), problem);
  }

  /// The same with the rate as a percentage of another, where that is known.
  Measurement rateAgainst(String what, OptionalDouble other) {
    return other.isPresent() ? percent(what, 100 * rate / other.getAsDouble()) : this;
  }

  /// The same with one more percentage.
  Measurement percent(String what, double percent) {
    Map<String, Double> more = new LinkedHashMap<>(percentOf);
    more.put(what, percent);
    return new Measurement(id, name, clock, timing, rate, rateUnit, more, remark);
  }

  Measurement withRemark(String text) {
    return new Measurement(id, name, clock, timing, rate, rateUnit, percentOf, text);
  }

  Map<String, Object> row() {
    Map<String, Object> row = Rows.of("id", id, "name", name);
    if (timing.isEmpty()) {
      row.put("problem", remark);
      return row;
    }
    Timing t = timing.get();
    row.put("clock", clock);
    row.put("runs", t.runs());
    Rows.put(row, "median_ms", 1e3 * t.median());
    Rows.put(row, "fastest_ms", 1e3 * t.fastest());
    Rows.put(row, "slowest_ms", 1e3 * t.slowest());
    Rows.put(row, "rate", rate);
    row.put("rate_unit", rateUnit);
    Map<String, Object> percents = new LinkedHashMap<>();
    percentOf.forEach((what, percent) -> Rows.put(percents, what, percent));
    row.put("percent_of", percents);
    if (!remark.isEmpty()) {
      row.put("remark", remark);
    }
    return row;
  }

  /// One line for the log.
  String line() {
    if (timing.isEmpty()) {
      return "%s %s: %s".formatted(id, name, remark);
    }
    Timing t = timing.get();
    StringBuilder line = new StringBuilder();
    line.append(
        String.format(
            Locale.ROOT,
            "%s %s: %.3f ms (%.3f..%.3f), %.4g %s",
            id,
            name,
            1e3 * t.median(),
            1e3 * t.fastest(),
            1e3 * t.slowest(),
            rate,
            rateUnit));
    percentOf.forEach((what, percent) ->
        line.append(String.format(Locale.ROOT, ", %.1f %% of %s", percent, what)));
    return line.toString();
  }
}
