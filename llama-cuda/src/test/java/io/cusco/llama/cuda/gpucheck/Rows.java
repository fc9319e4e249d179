package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.testkit.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What a part finds, in a file of its own with a line of JSON each, there as soon as it is known:
/// whatever ends the part, nothing found is lost.
final class Rows {
  private final Path file;

  /// @param file is made if it is not there
  Rows(Path file) {
    this.file = file;
  }

  /// Which list of the report a row belongs to.
  enum Section {
    CEILINGS,
    TESTS,
    PARITY,
    BENCHMARKS,
    GPU_STATE
  }

  /// @param values JSON's: strings, booleans, finite numbers, maps of these
  record Row(Section section, Map<String, Object> values) {}

  void add(Section section, Map<String, Object> values) {
    String line = "{\"section\": \"%s\", \"values\": %s}\n".formatted(section, Json.write(values));
    try {
      Files.writeString(file, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// All rows so far.
  List<Row> all() throws IOException {
    return read(file);
  }

  /// All rows of a file; a last line that its writer did not end is left out.
  static List<Row> read(Path file) throws IOException {
    List<Row> rows = new ArrayList<>();
    if (!Files.exists(file)) {
      return rows;
    }
    String text = Files.readString(file);
    for (String line : text.substring(0, text.lastIndexOf('\n') + 1).lines().toList()) {
      Map<String, Object> row = Json.object(Json.parse(line));
      rows.add(
          new Row(Section.valueOf((String) row.get("section")), Json.object(row.get("values"))));
    }
    return rows;
  }

  /// A number for a row; one that JSON does not have (a rate of something that took no time) is
  /// left out.
  static void put(Map<String, Object> values, String name, double number) {
    if (Double.isFinite(number)) {
      values.put(name, number);
    }
  }

  /// A row from names and values by turns.
  static Map<String, Object> of(Object... namesAndValues) {
    Map<String, Object> values = new LinkedHashMap<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      values.put((String) namesAndValues[i], namesAndValues[i + 1]);
    }
    return values;
  }
}
