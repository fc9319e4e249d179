package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.cuda.CudaBackendProvider;
import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.CudaLibraries;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.driver.KeptContexts;
import io.cusco.llama.cuda.gpucheck.GpuCheckReport.PartEnd;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.cuda.standin.StandInSettings;
import io.cusco.llama.testkit.GoldenModels.Golden;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Consumer;

/// The program that `scripts/gpu-check` carries to a machine with an NVIDIA GPU. Runs its [Part]s
/// one after another, each as a process, and writes one JSON file, anew after each part; what it
/// prints is the log.
///
/// | arguments | meaning |
/// |---|---|
/// | `FOLDER` | where the JSON file goes |
/// | `--stand-in FOLDER` | a rehearsal: everything in tiny, on the stand-in |
/// | `[--stand-in] --part PART REPORT ROWS` | one part: reads what is known, appends what it finds |
///
/// Exit codes: 0 all passed, 1 something failed, 3 no usable GPU; of a part also 4, something was
/// left out because its share of the time was spent, and 5, a failure took the GPU from its
/// process.
public final class GpuCheck {
  static final int FAILED = 1;
  static final int NO_GPU = 3;
  static final int SHARE_SPENT = 4;
  static final int GPU_LOST = 5;

  private static final String STAND_IN = "--stand-in";
  private static final String PART = "--part";
  private static final long STAND_IN_SEED = 20261121;

  private final Scale scale;
  private final List<String> options;

  private GpuCheck(boolean standIn) {
    scale = standIn ? Scale.tiny() : Scale.real();
    options = standIn ? List.of(STAND_IN) : List.of();
    if (standIn) {
      StandIn.install().reset(StandInSettings.DEFAULT.withComputeCapability(9, 0), STAND_IN_SEED);
    }
  }

  public static void main(String[] args) throws IOException, InterruptedException {
    List<String> arguments = List.of(args);
    boolean standIn = !arguments.isEmpty() && arguments.getFirst().equals(STAND_IN);
    List<String> rest = arguments.subList(standIn ? 1 : 0, arguments.size());
    if (rest.size() == 1) {
      System.exit(new GpuCheck(standIn).run(Path.of(rest.getFirst())));
    }
    if (rest.size() == 4 && rest.getFirst().equals(PART)) {
      Part part = Part.valueOf(rest.get(1));
      Rows rows = new Rows(Path.of(rest.get(3)));
      System.exit(new GpuCheck(standIn).run(part, Findings.read(Path.of(rest.get(2))), rows));
    }
    System.err.println("usage: GpuCheck [--stand-in] FOLDER");
    System.exit(2);
  }

  private int run(Path folder) throws IOException, InterruptedException {
    TimeShare all = new TimeShare(Part.allSeconds());
    CudaProbe probe = CudaProbe.run();
    probe.details().forEach(System.out::println);
    if (probe.problem().isPresent()) {
      System.out.println("no GPU to check: " + probe.problem().get());
      return NO_GPU;
    }
    List<String> facts = new ArrayList<>(probe.facts());
    // As a program does that asks for backends and then opens one: the first context is gone by
    // then.
    facts.add("a context made anew: " + CudaProbe.run().problem().orElse("works"));
    System.out.println(facts.getLast());
    GpuCheckReport report =
        new GpuCheckReport(
            Instant.now().truncatedTo(ChronoUnit.SECONDS),
            System.getProperty("llama.commit", "unknown"),
            probe.devices().getFirst(),
            facts);
    Path file = folder.resolve(report.fileName());
    System.out.println("writing " + file);
    Files.writeString(file, report.toJson());
    for (Part part : Part.values()) {
      System.out.printf("=== %s, at most %d s%n", part, part.seconds());
      long start = System.nanoTime();
      String outcome =
          part == Part.SANITIZER ? sanitize(report, file, all) : runChild(part, report, file);
      double seconds = (System.nanoTime() - start) / 1e9;
      report.add(part, new PartEnd(seconds, outcome));
      Files.writeString(file, report.toJson());
      System.out.printf(Locale.ROOT, "=== %s: %s, %.1f s%n", part, outcome, seconds);
    }
    System.out.println(report.testsLine());
    System.out.println("wrote " + file);
    return report.isClean() ? 0 : FAILED;
  }

  private String runChild(Part part, GpuCheckReport report, Path file)
      throws IOException, InterruptedException {
    Path rows = Files.createTempFile("gpu-check", ".rows");
    try {
      TimeShare share = new TimeShare(part.seconds());
      List<String> command = command(part, file, rows, true);
      ChildProcess.End end = ChildProcess.run(command, share.secondsLeft());
      boolean lost = end.exitCode() == GPU_LOST;
      while (end.exitCode() == GPU_LOST && !share.isSpent()) {
        System.out.println("the GPU was lost to that process: another one goes on");
        end = ChildProcess.run(command, share.secondsLeft());
      }
      report.add(Rows.read(rows));
      return switch (end.exitCode()) {
        case 0 -> lost ? "failed" : PartEnd.DONE;
        case FAILED, GPU_LOST -> "failed";
        case SHARE_SPENT -> PartEnd.SHARE_SPENT;
        default -> end.problem();
      };
    } finally {
      Files.delete(rows);
    }
  }

  /// Every tool gets an equal part of the time that is left. Reference data stays away: under these
  /// tools everything takes many times as long.
  private String sanitize(GpuCheckReport report, Path file, TimeShare all)
      throws IOException, InterruptedException {
    int toolsLeft = Sanitizer.TOOLS.size();
    for (String tool : Sanitizer.TOOLS) {
      double seconds = all.secondsLeft() / toolsLeft--;
      // Of its own: tests that have a row are left out.
      Path rows = Files.createTempFile("gpu-check", ".rows");
      try {
        Sanitizer.Outcome outcome =
            Sanitizer.run(tool, command(Part.TESTS, file, rows, false), seconds);
        report.add(outcome);
        System.out.printf("compute-sanitizer %s: %s%n", outcome.tool(), outcome.outcome());
      } finally {
        Files.delete(rows);
      }
    }
    return PartEnd.DONE;
  }

  /// This JVM's command with other arguments.
  private List<String> command(Part part, Path report, Path rows, boolean withTestData) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> withTestData || !argument.startsWith("-Dllama.testdata="))
        .forEach(command::add);
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(GpuCheck.class.getName());
    command.addAll(options);
    command.addAll(List.of(PART, part.name(), report.toString(), rows.toString()));
    return command;
  }

  private int run(Part part, Findings findings, Rows rows)
      throws IOException, InterruptedException {
    holdContext();
    TimeShare share = part.share();
    boolean passed =
        switch (part) {
          case CEILINGS -> ceilings(rows, share);
          case TESTS ->
              GpuTests.run(scale.tests(), rows, () -> Runtime.getRuntime().halt(GPU_LOST));
          case PARITY -> parity(rows, share);
          case MODELS -> models(findings, rows, share);
          case KERNELS -> kernels(findings, rows, share);
          case SANITIZER -> throw new IllegalArgumentException("runs other programs");
        };
    if (!passed) {
      return FAILED;
    }
    return share.hasLeftOut() ? SHARE_SPENT : 0;
  }

  /// Contexts come and go, one for every test: no more than references to the one that is kept.
  private static void holdContext() {
    if (CudaLibraries.driver().path().isPresent()
        && CudaDriver.cuInit(0) == CudaDriver.CUDA_SUCCESS()) {
      CudaDevice.all().stream().findFirst().ifPresent(KeptContexts::keep);
    }
  }

  private boolean ceilings(Rows rows, TimeShare share) {
    try (CudaContext context = CudaContext.open(device())) {
      GpuState.note(rows, "ceilings, before");
      new Ceilings(context, scale.ceilings())
          .measure(
              share,
              rate -> {
                rows.add(Rows.Section.CEILINGS, rate.row());
                System.out.println(rate.line());
              });
      GpuState.note(rows, "ceilings, after");
      return true;
    }
  }

  private boolean parity(Rows rows, TimeShare share) throws IOException, InterruptedException {
    List<Golden> models = Parity.models().stream().limit(scale.parityModels()).toList();
    if (models.isEmpty()) {
      String problem = "no mini models came along: pack with the reference data at hand";
      rows.add(Rows.Section.PARITY, Rows.of("problem", problem));
      System.out.println("parity: " + problem);
      return true;
    }
    try (Backend backend = new CudaBackendProvider().open(BackendOptions.DEFAULT)) {
      return new Parity(backend, scale.torchDevice(), share, rows).compare(models);
    }
  }

  private boolean models(Findings findings, Rows rows, TimeShare share) {
    GpuState.note(rows, "models, before");
    try (Backend backend = new CudaBackendProvider().open(BackendOptions.DEFAULT)) {
      boolean allRan =
          new ModelBenchmark(backend, scale.models(), roofline(findings), share, benchmarks(rows))
              .measure();
      GpuState.note(rows, "models, after");
      return allRan;
    }
  }

  private static Optional<Roofline> roofline(Findings findings) {
    OptionalDouble copy = findings.copyRate();
    OptionalDouble product = findings.productRate();
    return copy.isPresent() && product.isPresent()
        ? Optional.of(
            new Roofline(copy.getAsDouble(), product.getAsDouble(), findings.fp8Rate().orElse(0)))
        : Optional.empty();
  }

  private boolean kernels(Findings findings, Rows rows, TimeShare share)
      throws IOException, InterruptedException {
    GpuState.note(rows, "kernels, before");
    List<Measurement> torch = new ArrayList<>();
    TorchAttention.measure(
        scale.kernels(),
        scale.torchDevice(),
        share.secondsLeft() / 2,
        benchmarks(rows).andThen(torch::add));
    try (CudaContext context = CudaContext.open(device())) {
      boolean allRan =
          new KernelBenchmark(context, scale.kernels(), findings, torch, share, benchmarks(rows))
              .measure();
      GpuState.note(rows, "kernels, after");
      return allRan;
    }
  }

  private static Consumer<Measurement> benchmarks(Rows rows) {
    return measurement -> {
      rows.add(Rows.Section.BENCHMARKS, measurement.row());
      System.out.println(measurement.line());
    };
  }

  private static CudaDevice device() {
    return CudaProbe.run().devices().getFirst();
  }
}
