package io.cusco.llama.cuda.gpucheck;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/// Clocks, power and temperature as nvidia-smi reads them; nothing is changed.
final class GpuState {
  private static final String QUERY = "clocks.sm,clocks.mem,power.draw,power.limit,temperature.gpu";
  private static final int SECONDS = 5;

  private GpuState() {}

  /// Adds a reading where nvidia-smi gives one.
  ///
  /// @param when "models, before"
  static void note(Rows rows, String when) {
    reading()
        .ifPresent(reading -> {
          rows.add(Rows.Section.GPU_STATE, stateRow(when, reading));
          System.out.printf("gpu %s: %s: %s%n", when, QUERY, reading);
        });
  }

  private static Map<String, Object> stateRow(String when, String reading) {
    return Rows.of("when", when, "fields", QUERY, "reading", reading);
  }

  private static Optional<String> reading() {
    try {
      Process process =
          new ProcessBuilder(
                  "nvidia-smi", "--query-gpu=" + QUERY, "--format=csv,noheader", "-i", "0")
              .redirectErrorStream(true)
              .start();
      if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        return Optional.empty();
      }
      String text =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      return process.exitValue() == 0 ? Optional.of(text) : Optional.empty();
    } catch (IOException e) {
      return Optional.empty(); // there is no nvidia-smi
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }
}
