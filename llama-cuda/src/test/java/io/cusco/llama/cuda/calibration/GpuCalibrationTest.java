package io.cusco.llama.cuda.calibration;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.KernelDevice;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.standin.RealGpu;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Records a GPU's answers to the calibration kernels in the folder that the system property
/// `llama.calibration.record` names, by default `target/calibration`. Committed to
/// `src/test/resources/io/cusco/llama/cuda/calibration`, they are what [EmulatedCalibrationTest]
/// holds the emulator to from then on.
@RealGpu
class GpuCalibrationTest {
  @Test
  void record(CudaContext context) throws IOException {
    CudaDevice gpu = context.device();
    List<CalibrationForm> forms = CalibrationForms.of(10 * gpu.computeMajor() + gpu.computeMinor());
    try (KernelDevice device = new KernelDevice(context)) {
      Map<String, byte[]> results = CalibrationModule.run(device, forms);
      assertThat(results).hasSameSizeAs(forms);
      CalibrationGolden golden =
          new CalibrationGolden(
              context.device().name(), driver(), LocalDate.now(ZoneOffset.UTC).toString(), results);
      Path folder =
          Files.createDirectories(
              Path.of(System.getProperty("llama.calibration.record", "target/calibration")));
      String name = golden.device().replaceAll("[^A-Za-z0-9]+", "-");
      Path file = folder.resolve(name + ".golden.gz");
      try (OutputStream out = Files.newOutputStream(file)) {
        golden.write(out);
      }
      System.out.printf("calibration of %s: %d forms in %s%n", golden, results.size(), file);
    }
  }

  /// The kernel module's version line where the system shows it, else the CUDA version it is for.
  private static String driver() throws IOException {
    Path version = Path.of("/proc/driver/nvidia/version");
    if (Files.isReadable(version)) {
      return Files.readAllLines(version).getFirst().strip();
    }
    return CudaProbe.run().facts().stream()
        .filter(fact -> fact.startsWith("driver: "))
        .findFirst()
        .orElse("unknown");
  }
}
