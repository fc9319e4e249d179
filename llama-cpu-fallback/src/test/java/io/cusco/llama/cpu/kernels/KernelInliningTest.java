package io.cusco.llama.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Guards what no result shows: a kernel too big for the JIT compiler is compiled all the same, but
/// from some point on calls its vector operations instead of inlining them. Each call then
/// allocates its vectors, and the kernel runs 50 times slower. The compiler says so in its inlining
/// log (HotSpot, `InlineTree::try_to_inline`, limit `-XX:NodeCountInliningCutoff`).
@Timeout(120)
@Tag("slow")
class KernelInliningTest {
  private static final String CUTOFF = "NodeCountInliningCutoff";

  @Test
  void noKernelIsTooBigToBeInlinedOrGivesOtherBitsOnceCompiled(@TempDir Path folder)
      throws Exception {
    Path log = folder.resolve("inlining.log");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-Xmx256m",
                "-XX:+UnlockDiagnosticVMOptions",
                "-XX:+PrintInlining",
                "-cp",
                System.getProperty("java.class.path"),
                KernelWarmUp.class.getName())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    boolean ended = process.waitFor(100, TimeUnit.SECONDS);
    process.destroyForcibly().waitFor();
    List<String> lines = Files.readAllLines(log, StandardCharsets.UTF_8);
    assertThat(ended).as("the JVM with the kernels ended").isTrue();
    assertThat(process.exitValue()).as(String.join("\n", lines)).isZero();
    assertThat(lines)
        .as("the inlining log names the kernels")
        .anyMatch(line -> line.contains("io.cusco.llama.cpu.kernels"));
    assertThat(cutOff(lines)).as("calls that were not inlined").isEmpty();
  }

  /// Each cut-off call, with the last call of a kernel that the log has before it, which is its
  /// caller or a neighbour.
  private static List<String> cutOff(List<String> lines) {
    List<String> found = new ArrayList<>();
    String kernel = "";
    for (String line : lines) {
      if (line.contains(CUTOFF)) {
        found.add(line.strip() + " (after " + kernel + ")");
      }
      if (line.contains("io.cusco")) {
        kernel = line.strip();
      }
    }
    return found;
  }
}
