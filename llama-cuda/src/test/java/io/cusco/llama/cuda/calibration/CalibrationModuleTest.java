package io.cusco.llama.cuda.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The calibration kernels are PTX that NVIDIA's assembler takes, and leave out nothing that the
/// shipped kernels use.
class CalibrationModuleTest {
  private static final Pattern INSTRUCTION =
      Pattern.compile("^\\s+(?:@!?%p\\d+\\s+)?([a-z][\\w.]*)[^;{(]*[;{]", Pattern.MULTILINE);

  /// What a calibration kernel consists of itself, and control flow, of which nothing is recorded.
  private static final Pattern HARNESS =
      Pattern.compile(
          "bra(\\.uni)?|ret|bar\\.(warp\\.)?sync|cp\\.async\\.(commit|wait)_group"
              + "|cvta\\.to\\.global\\.u64|ld\\.param\\.\\w+|st\\..*"
              + "|ld\\.(global|global\\.nc|shared)\\.([ufb](16|32|64)|s32)|mov\\.(b32|b64)");

  @Test
  void namesAreUnique() {
    assertThat(CalibrationForms.all()).extracting(CalibrationForm::name).doesNotHaveDuplicates();
  }

  @Test
  void everyFormOfTheShippedKernelsIsMeasured() throws IOException {
    Set<String> measured =
        CalibrationForms.all().stream().map(CalibrationForm::opcode).collect(Collectors.toSet());
    Set<String> shipped = new TreeSet<>();
    Path folder = Path.of("src/main/resources/io/cusco/llama/cuda");
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(name -> name.toString().endsWith(".ptx")).toList()) {
        Matcher matcher = INSTRUCTION.matcher(Files.readString(file));
        while (matcher.find()) {
          shipped.add(matcher.group(1));
        }
      }
    }
    assertThat(shipped).contains("fma.rn.f32", "max.u64");
    shipped.removeIf(opcode -> HARNESS.matcher(opcode).matches());
    shipped.removeAll(measured);
    assertThat(shipped).as("shipped opcodes without a calibration kernel").isEmpty();
  }

  @Test
  void ptxasAcceptsEveryFormOnEveryArchitecture(@TempDir Path folder) throws Exception {
    Map<Integer, String> modules = CalibrationModule.ptx(CalibrationForms.all());
    for (int architecture : new int[] {80, 86, 89, 90, 100, 120}) {
      for (Map.Entry<Integer, String> module : modules.entrySet()) {
        if (module.getKey() <= architecture) {
          ptxasAccepts(architecture, module.getValue(), folder.resolve("calibration.ptx"));
        }
      }
    }
  }

  private static void ptxasAccepts(int architecture, String text, Path file) throws Exception {
    Files.writeString(file, text);
    Process process;
    try {
      process =
          new ProcessBuilder(
                  List.of("ptxas", "-arch=sm_" + architecture, "-o", "/dev/null", file.toString()))
              .redirectErrorStream(true)
              .start();
    } catch (IOException e) {
      assumeTrue(false, "not checked: no ptxas on PATH");
      return;
    }
    String messages = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(1, TimeUnit.MINUTES)).as("ptxas ends").isTrue();
    assertThat(process.exitValue()).as(messages).isZero();
  }
}
