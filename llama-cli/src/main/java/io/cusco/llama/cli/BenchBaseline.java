package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cli.json.JsonValue;
import io.cusco.llama.cli.json.JsonValueException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Rows of earlier runs, read from the JSON lines that `bench --json` prints, beside which those of
/// a run are set. Machines and hours differ: the shares of each run's own ceilings tell more than
/// the ratio of the rates.
final class BenchBaseline {
  /// Rates beyond this are damage, not measurements.
  private static final double MAX_RATE = 1e12;

  private static final String FORMAT = "%-28s %-6s %-7s %7s %5s %6s %9s %9s %6s %10s %10s";

  private static final String HEADER =
      FORMAT.formatted(
          "model",
          "dtype",
          "test",
          "threads",
          "batch",
          "depth",
          "earlier",
          "now",
          "ratio",
          "share then",
          "share now");

  /// What has to agree for two rows to be compared.
  ///
  /// @param promptTokens of a prefill, all sequences together; 0 for decoding, whose rate hardly
  ///   depends on the number of steps
  private record Key(
      String model,
      String dtype,
      String backend,
      int threads,
      String test,
      int batch,
      int depth,
      long promptTokens) {
    static Key of(BenchRow row) {
      BenchRow.Subject subject = row.subject();
      return new Key(
          subject.model(),
          subject.dtype(),
          subject.backend(),
          subject.threads(),
          row.test(),
          row.batch(),
          row.depth(),
          row.isDecode() ? 0 : row.tokens());
    }
  }

  /// @param percentOfCeiling NaN where that run could not measure any
  private record Figure(double tokensPerSecond, double percentOfCeiling) {}

  private final Path file;
  private final Map<Key, Figure> figures = new HashMap<>();

  private BenchBaseline(Path file) {
    this.file = file;
  }

  /// Of rows with the same subject the last counts.
  ///
  /// @throws LlamaException if the file cannot be read or is anything else, naming the line
  static BenchBaseline read(Path file) {
    BenchBaseline baseline = new BenchBaseline(file);
    int number = 0;
    try (BufferedReader lines = Files.newBufferedReader(file)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        number++;
        if (!line.isBlank()) {
          baseline.add(JsonValue.parse(line));
        }
      }
    } catch (JsonValueException e) {
      throw new LlamaException(
          "--compare %s, line %d: %s; expected a line of `bench --json`"
              .formatted(file, number, e.getMessage()),
          e);
    } catch (IOException e) {
      throw new LlamaException(
          "--compare: cannot read %s: %s".formatted(file, Failures.describe(e)), e);
    }
    if (baseline.figures.isEmpty()) {
      throw new LlamaException(
          "--compare %s: the file has no rows; expected lines of `bench --json`".formatted(file));
    }
    return baseline;
  }

  private void add(JsonValue line) {
    String test = line.get("test").string();
    boolean decode =
        switch (test) {
          case BenchRow.DECODE -> true;
          case BenchRow.PREFILL -> false;
          default -> throw line.get("test").mustBe("\"prefill\" or \"decode\"");
        };
    Key key =
        new Key(
            line.get("model").string(),
            line.get("dtype").string(),
            line.get("backend").string(),
            (int) line.get("threads").integer(0, Integer.MAX_VALUE),
            test,
            (int) line.get("batch").integer(1, Integer.MAX_VALUE),
            decode ? (int) line.get("depth").integer(0, Integer.MAX_VALUE) : 0,
            decode ? 0 : line.get("tokens").integer(1, Long.MAX_VALUE));
    JsonValue percent = line.get("percent_of_ceiling");
    figures.put(
        key,
        new Figure(
            line.get("tokens_per_second").get("median").number(0, MAX_RATE),
            percent.isNull() ? Double.NaN : percent.number(0, MAX_RATE)));
  }

  /// The table: a line for each of `rows`, with its earlier figure where the file has one.
  String table(List<BenchRow> rows) {
    StringBuilder table =
        new StringBuilder("beside %s (tok/s; shares of each run's own ceiling)".formatted(file))
            .append('\n')
            .append(HEADER);
    for (BenchRow row : rows) {
      Figure earlier = figures.get(Key.of(row));
      double now = row.medianTokensPerSecond();
      table
          .append('\n')
          .append(
              FORMAT.formatted(
                  row.subject().model(),
                  row.subject().dtype(),
                  row.test(),
                  row.subject().threads(),
                  row.batch(),
                  row.depth(),
                  earlier == null ? "-" : decimal("%.1f", earlier.tokensPerSecond()),
                  decimal("%.1f", now),
                  earlier == null ? "-" : decimal("%.2f", now / earlier.tokensPerSecond()),
                  earlier == null ? "-" : decimal("%.1f %%", earlier.percentOfCeiling()),
                  decimal("%.1f %%", row.percentOfCeiling())));
    }
    return table.toString();
  }

  private static String decimal(String format, double value) {
    return Double.isFinite(value) ? String.format(Locale.ROOT, format, value) : "-";
  }
}
