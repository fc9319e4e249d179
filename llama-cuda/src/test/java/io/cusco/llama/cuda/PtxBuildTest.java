package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The committed PTX is what the kernels' sources compile to, loads on every driver that knows
/// sm_80 (sm_89 for FP8), and fits the register files of the GPUs it is for.
@Tag("slow")
class PtxBuildTest {
  private static final Pattern TOOLS = Pattern.compile("release [\\d.]+, (V[\\d.]+)");
  private static final Pattern ENTRY = Pattern.compile("\\.visible \\.entry (\\w+)");
  private static final Pattern ROW = Pattern.compile("(\\w+)((?: +\\d+)+)");

  /// Registers of one multiprocessor, compute capability 8.0 to 12.0 (CUDA C++ Programming Guide,
  /// table of technical specifications).
  private static final int REGISTER_FILE = 65_536;

  @TempDir static Path folder;

  /// What scripts/build-ptx printed; null where it could not run.
  private static List<String> report;

  private static String whyNotBuilt;

  @BeforeAll
  static void buildPtx() throws Exception {
    String ours = first(TOOLS, Files.readString(resources().resolve("rms_norm.ptx")));
    Optional<String> nvcc = output(List.of("nvcc", "--version"));
    if (nvcc.isEmpty()) {
      whyNotBuilt = "not checked: no nvcc on PATH, so the PTX cannot be made again";
    } else if (!first(TOOLS, nvcc.get()).equals(ours)) {
      whyNotBuilt =
          "not checked: the PTX was made by nvcc %s, here is %s"
              .formatted(ours, first(TOOLS, nvcc.get()));
    } else {
      Optional<String> printed =
          output(List.of(root().resolve("scripts/build-ptx").toString(), folder.toString()));
      assertThat(printed).as("what scripts/build-ptx prints, if it ends well").isPresent();
      report = printed.get().lines().toList();
    }
  }

  @Test
  void committedPtxIsWhatTheSourcesCompileTo() throws IOException {
    assumeTrue(report != null, () -> whyNotBuilt);
    Map<String, String> built = ptxIn(folder);
    Map<String, String> committed = ptxIn(resources());
    assertThat(built.keySet()).as("modules").isEqualTo(committed.keySet());
    committed.forEach((name, text) ->
        assertThat(built.get(name).equals(text))
            .as("%s is as compiled; if not, run scripts/build-ptx and commit the result", name)
            .isTrue());
  }

  @Test
  void everyKernelFitsEveryGpuWithoutSpills() throws IOException {
    assumeTrue(report != null, () -> whyNotBuilt);
    report.forEach(System.out::println);
    Map<String, int[]> rows = new TreeMap<>();
    for (String line : report) {
      Matcher row = ROW.matcher(line);
      if (row.matches()) {
        rows.put(
            row.group(1),
            Stream.of(row.group(2).strip().split(" +")).mapToInt(Integer::parseInt).toArray());
      }
    }
    for (String text : ptxIn(resources()).values()) {
      Matcher entry = ENTRY.matcher(text);
      while (entry.find()) {
        String kernel = entry.group(1);
        Matcher threads = Pattern.compile("\\.maxntid (\\d+)").matcher(text);
        assertThat(threads.find(entry.end())).as(kernel + " states its largest block").isTrue();
        int[] figures = rows.get(kernel);
        assertThat(figures).as("ptxas reports " + kernel).isNotNull();
        // Zero for GPUs that the module is not for, the oldest ones.
        assertThat(figures[figures.length - 3]).as("registers of " + kernel).isPositive();
        for (int i = 0; i < figures.length - 2; i++) {
          assertThat(figures[i] * Integer.parseInt(threads.group(1)))
              .as("registers of the largest block of %s", kernel)
              .isBetween(0, REGISTER_FILE);
        }
        assertThat(figures[figures.length - 1]).as("bytes that %s spills", kernel).isZero();
      }
    }
  }

  @Test
  void ptxHoldsNothingOfTheMachineThatMadeIt() throws IOException {
    Map<String, String> modules = ptxIn(resources());
    assertThat(modules).isNotEmpty();
    modules.forEach((name, text) -> {
      String header =
          name.endsWith("_fp8.ptx") ? ".version 8.1\n.target sm_89" : ".version 7.0\n.target sm_80";
      assertThat(text).as(name).contains("\n" + header + "\n");
      assertThat(text.replace("//", "").indexOf('/')).as("first path in " + name).isNegative();
      // Flushing is for attention's weights alone, and said there.
      assertThat(text.replace("ex2.approx.ftz.f32", ""))
          .as(name)
          .doesNotContain(".ftz")
          .doesNotContain(".local ");
    });
  }

  private static String first(Pattern pattern, String text) {
    Matcher matcher = pattern.matcher(text);
    assertThat(matcher.find()).as("%s in %s", pattern, text).isTrue();
    return matcher.group(1);
  }

  /// What a command prints; empty if it cannot be started or fails.
  private static Optional<String> output(List<String> command) throws InterruptedException {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      boolean ended = process.waitFor(2, TimeUnit.MINUTES);
      if (ended && process.exitValue() == 0) {
        return Optional.of(text);
      }
      System.out.println(text);
      return Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static Map<String, String> ptxIn(Path folder) throws IOException {
    List<Path> files = new ArrayList<>();
    try (Stream<Path> entries = Files.list(folder)) {
      entries.filter(file -> file.toString().endsWith(".ptx")).forEach(files::add);
    }
    Map<String, String> modules = new TreeMap<>();
    for (Path file : files) {
      modules.put(file.getFileName().toString(), Files.readString(file));
    }
    return modules;
  }

  private static Path resources() {
    return root().resolve("llama-cuda/src/main/resources/io/cusco/llama/cuda");
  }

  private static Path root() {
    Path folder = Path.of("").toAbsolutePath();
    while (folder != null && !Files.exists(folder.resolve("scripts/build-ptx"))) {
      folder = folder.getParent();
    }
    assertThat(folder)
        .as("the repository's root, above " + Path.of("").toAbsolutePath())
        .isNotNull();
    return folder;
  }
}
