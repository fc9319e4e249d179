package io.cusco.llama.cuda.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.testkit.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A whole run with all its processes, on the stand-in.
@Tag("emulated")
@Tag("slow")
class GpuCheckTest {
  @Test
  void aRehearsalFillsTheReport(@TempDir Path folder, @TempDir Path other)
      throws IOException, InterruptedException {
    Path log = other.resolve("log");
    ChildProcess.End end =
        ChildProcess.run(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-Dllama.python=no-python-here",
                "-cp",
                System.getProperty("java.class.path"),
                GpuCheck.class.getName(),
                "--stand-in",
                folder.toString()),
            300,
            log);
    assertThat(end).as(Files.readString(log)).isEqualTo(new ChildProcess.End(0, ""));
    Map<String, Object> json;
    try (Stream<Path> files = Files.list(folder)) {
      json = Json.object(Json.read(files.findFirst().orElseThrow()));
    }
    assertThat(Json.array(json.get("parts")))
        .hasSize(Part.values().length)
        .allMatch(part -> Json.object(part).get("outcome").equals("done"));
    assertThat(Json.array(json.get("facts"))).contains("a context made anew: works");
    assertThat(Json.array(json.get("ceilings"))).hasSize(8);
    assertThat(Json.object(json.get("tests")))
        .containsEntry("found", 2)
        .containsEntry("succeeded", 2);
    assertThat(Json.array(json.get("benchmarks")).stream().map(row -> Json.object(row).get("id")))
        .containsExactly(
            "D2",
            "D1",
            "D3",
            "D3",
            "P1",
            "D4",
            "D4",
            "P1",
            "K2 torch",
            "K1",
            "K1",
            "K2",
            "K2",
            "K3");
    assertThat(Json.array(json.get("parity"))).hasSize(1);
  }

  @Test
  void theSharesTogetherAreUnderEightMinutes() {
    assertThat(Part.allSeconds()).isLessThanOrEqualTo(465);
  }
}
