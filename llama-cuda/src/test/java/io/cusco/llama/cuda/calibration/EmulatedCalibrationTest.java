package io.cusco.llama.cuda.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.cusco.llama.cuda.KernelDevice;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.cuda.standin.StandInSettings;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The emulator runs every calibration kernel, and gives what GPUs gave where that was recorded.
@EmulatedGpu(compute = 89)
class EmulatedCalibrationTest {
  /// Recorded by [GpuCalibrationTest], one file per GPU.
  private static final Path GOLDENS = Path.of("src/test/resources/io/cusco/llama/cuda/calibration");

  private static final long SEED = 89;

  private static final String ENDING = ".golden.gz";

  @BeforeEach
  void takeAda(StandIn standIn) {
    standIn.reset(StandInSettings.DEFAULT.withComputeCapability(8, 9), SEED);
  }

  @Test
  void theEmulatorRunsEveryForm(CudaContext context) {
    try (KernelDevice device = new KernelDevice(context)) {
      List<CalibrationForm> forms = CalibrationForms.all();
      Map<String, byte[]> results = CalibrationModule.run(device, forms);
      assertThat(results).hasSameSizeAs(forms);
      // The same again: no form may hang on the order of warps.
      Map<String, byte[]> again = CalibrationModule.run(device, forms);
      for (CalibrationForm form : forms) {
        CalibrationComparison comparison =
            CalibrationComparison.of(form, results.get(form.name()), again.get(form.name()));
        assertThat(comparison.worstUlps()).as(form.name()).isZero();
      }
    }
  }

  @Test
  void theEmulatorAgreesWithRecordedGpus(CudaContext context) throws IOException {
    List<CalibrationGolden> goldens = goldens();
    assumeFalse(
        goldens.isEmpty(),
        "not checked: no GPU has recorded its answers to the calibration kernels yet");
    List<CalibrationForm> forms = CalibrationForms.all();
    try (KernelDevice device = new KernelDevice(context)) {
      Map<String, byte[]> actual = CalibrationModule.run(device, forms);
      for (CalibrationGolden golden : goldens) {
        System.out.println("emulator against " + golden);
        List<String> problems = new ArrayList<>();
        for (CalibrationForm form : forms) {
          byte[] recorded = golden.results().get(form.name());
          if (recorded == null) {
            System.out.println("  not recorded: " + form);
            continue;
          }
          CalibrationComparison comparison =
              CalibrationComparison.of(form, recorded, actual.get(form.name()));
          comparison.problem().ifPresent(problems::add);
          if (form.ulps() > 0) {
            System.out.printf(
                "  %s: at most %d ulp apart, %d allowed%n",
                form, comparison.worstUlps(), form.ulps());
          }
        }
        assertThat(problems).as("forms that differ from %s", golden).isEmpty();
      }
    }
  }

  private static List<CalibrationGolden> goldens() throws IOException {
    List<CalibrationGolden> goldens = new ArrayList<>();
    if (!Files.isDirectory(GOLDENS)) {
      return goldens;
    }
    try (Stream<Path> files = Files.list(GOLDENS)) {
      for (Path file : files.filter(name -> name.toString().endsWith(ENDING)).sorted().toList()) {
        try (InputStream in = Files.newInputStream(file)) {
          goldens.add(CalibrationGolden.read(in));
        }
      }
    }
    return goldens;
  }
}
