package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.testkit.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// On the class path the incubating module is absent unless a flag names it: scalar code is
/// measured too, without the ceilings, which are vectors'.
@Tag("slow")
class WithoutVectorApiTest {
  @Test
  void benchMeasuresScalarCodeWithoutCeilings() throws Exception {
    Process child =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "bench",
                "--synthetic",
                "tiny",
                "--prompt-tokens",
                "4",
                "--gen-tokens",
                "2",
                "--repeat",
                "1",
                "--backend",
                "cpu",
                "--json")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(child.waitFor()).as(output).isZero();
    List<String> rows = output.lines().toList();
    assertThat(rows).hasSize(2);
    for (String line : rows) {
      Map<String, Object> row = Json.object(Json.parse(line));
      assertThat(row.get("device").toString()).contains("scalar");
      assertThat(row).containsEntry("ceiling_bytes_per_second", null);
      assertThat(Json.object(row.get("tokens_per_second")).get("median")).isNotNull();
    }
  }
}
