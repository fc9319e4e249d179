package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaProbe;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// The program that `scripts/gpu-check` carries to a machine with an NVIDIA GPU: what the driver
/// says, ceilings, the tests with the tag `gpu`, and the same tests under compute-sanitizer. Writes
/// one JSON file; what it prints is the log.
///
/// | argument | meaning |
/// |---|---|
/// | `FOLDER` | where the JSON file goes |
/// | `--tests-only` | only the tests, no file: what runs under compute-sanitizer |
///
/// Exit codes: 0 all passed, 1 something failed, 3 no usable GPU.
public final class GpuCheck {
  static final int NO_GPU = 3;

  private static final List<String> SANITIZER_TOOLS = List.of("memcheck", "racecheck");
  private static final long SANITIZER_SECONDS = 60;

  private GpuCheck() {}

  public static void main(String[] args) throws IOException, InterruptedException {
    if (args.length != 1) {
      System.err.println("usage: GpuCheck FOLDER | --tests-only");
      System.exit(2);
    }
    System.exit(args[0].equals("--tests-only") ? testsOnly() : run(Path.of(args[0])));
  }

  private static int testsOnly() {
    GpuTests.Outcome outcome = GpuTests.run(GpuTests.stdout());
    return outcome.failures().isEmpty() ? 0 : 1;
  }

  private static int run(Path folder) throws IOException, InterruptedException {
    CudaProbe probe = CudaProbe.run();
    probe.details().forEach(System.out::println);
    if (probe.problem().isPresent()) {
      System.out.println("no GPU to check: " + probe.problem().get());
      return NO_GPU;
    }
    Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);
    List<Ceilings.Rate> ceilings;
    try (CudaContext context = CudaContext.open(probe.devices().getFirst())) {
      ceilings = new Ceilings(context, Ceilings.Sizes.REAL).measure();
    }
    ceilings.forEach(rate -> System.out.println(line(rate)));
    GpuTests.Outcome tests = GpuTests.run(GpuTests.stdout());
    System.out.printf(
        Locale.ROOT,
        "%d tests, %d passed, %d failed, %d not run, %.1f s%n",
        tests.found(),
        tests.succeeded(),
        tests.failures().size(),
        tests.aborted().size(),
        tests.seconds());
    List<Sanitizer.Outcome> sanitizer = new ArrayList<>();
    for (String tool : SANITIZER_TOOLS) {
      sanitizer.add(Sanitizer.run(tool, thisJvm("--tests-only"), SANITIZER_SECONDS));
    }
    sanitizer.forEach(outcome ->
        System.out.printf("compute-sanitizer %s: %s%n", outcome.tool(), outcome.outcome()));
    GpuCheckReport report =
        new GpuCheckReport(
            now,
            System.getProperty("llama.commit", "unknown"),
            probe.devices().getFirst(),
            probe.facts(),
            ceilings,
            tests,
            sanitizer);
    Path file = folder.resolve(report.fileName());
    Files.writeString(file, report.toJson(), StandardCharsets.UTF_8);
    System.out.println("wrote " + file);
    return report.isClean() ? 0 : 1;
  }

  private static String line(Ceilings.Rate rate) {
    if (!rate.problem().isEmpty()) {
      return "%s: none, %s".formatted(rate.name(), rate.problem());
    }
    return String.format(
        Locale.ROOT,
        "%s: %.2f T%s (%.2f..%.2f)",
        rate.name(),
        rate.median() / 1e12,
        rate.unit(),
        rate.worst() / 1e12,
        rate.best() / 1e12);
  }

  /// The command of this JVM with another argument.
  private static List<String> thisJvm(String argument) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(GpuCheck.class.getName());
    command.add(argument);
    return command;
  }
}
