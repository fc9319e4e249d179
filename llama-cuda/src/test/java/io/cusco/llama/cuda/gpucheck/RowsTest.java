package io.cusco.llama.cuda.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.gpucheck.Rows.Row;
import io.cusco.llama.cuda.gpucheck.Rows.Section;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowsTest {
  @TempDir private Path folder;

  @Test
  void whatWasAddedIsReadBackWithoutALineThatItsWriterDidNotEnd() throws IOException {
    Path file = folder.resolve("rows");
    Rows rows = new Rows(file);
    Map<String, Object> first = Rows.of("name", "a \"b\"", "median", 4.5e12);
    rows.add(Section.CEILINGS, first);
    rows.add(Section.PARITY, Rows.of("within", false));
    Files.writeString(file, "{\"section\": \"PAR", StandardOpenOption.APPEND);
    assertThat(Rows.read(file))
        .containsExactly(
            new Row(Section.CEILINGS, first), new Row(Section.PARITY, Map.of("within", false)));
  }

  @Test
  void aPartThatFoundNothingHasNoRows() throws IOException {
    assertThat(Rows.read(folder.resolve("none"))).isEmpty();
  }

  @Test
  void numbersThatJsonLacksAreLeftOut() {
    Measurement instant =
        Measurement.of("K1", "k", "gpu", new Timing(new double[] {0, 0, 0}), 1, "B/s");
    assertThat(instant.row()).doesNotContainKey("rate").containsEntry("median_ms", 0.0);
  }
}
