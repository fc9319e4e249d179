package io.cusco.llama.cuda.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChildProcessTest {
  @TempDir private Path folder;

  @Test
  void aProgramThatTakesTooLongIsStoppedAndItsOutputKept()
      throws IOException, InterruptedException {
    Path printed = folder.resolve("printed");
    ChildProcess.End end =
        ChildProcess.run(List.of("sh", "-c", "echo here; sleep 60; true"), 1, printed);
    assertThat(end.problem()).isEqualTo("stopped after 1 s");
    assertThat(printed).hasContent("here\n");
  }

  @Test
  void theEndOfAProgramIsToldByItsExitCode() throws IOException, InterruptedException {
    Path printed = folder.resolve("printed");
    assertThat(ChildProcess.run(List.of("sh", "-c", "exit 7"), 10, printed))
        .isEqualTo(new ChildProcess.End(7, "ended with exit code 7"));
    assertThat(ChildProcess.run(List.of("true"), 10, printed))
        .isEqualTo(new ChildProcess.End(0, ""));
  }

  @Test
  void aProgramThatIsNotThereIsAFinding() throws IOException, InterruptedException {
    ChildProcess.End end =
        ChildProcess.run(List.of("no-such-program"), 10, folder.resolve("printed"));
    assertThat(end.exitCode()).isEqualTo(-1);
    assertThat(end.problem()).contains("no-such-program");
  }
}
