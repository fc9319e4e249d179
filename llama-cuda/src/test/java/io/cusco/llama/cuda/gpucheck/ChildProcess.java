package io.cusco.llama.cuda.gpucheck;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// Programs that must not take longer than they may, and whose end ends nothing else.
final class ChildProcess {
  /// For the end of a process that was killed. One that waits in the driver does not end, and then
  /// nobody may wait for it.
  private static final int SECONDS_TO_END = 5;

  private ChildProcess() {}

  /// @param exitCode -1 if it was not started or was stopped
  /// @param problem why it did not end with 0; empty if it did
  record End(int exitCode, String problem) {}

  /// Runs a program with this one's stdout and stderr.
  static End run(List<String> command, double seconds) throws IOException, InterruptedException {
    return run(new ProcessBuilder(command).inheritIO(), seconds);
  }

  /// Runs a program and keeps what it prints.
  ///
  /// @param stdout file for what it prints; stderr too
  static End run(List<String> command, double seconds, Path stdout)
      throws IOException, InterruptedException {
    return run(
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(stdout.toFile()),
        seconds);
  }

  private static End run(ProcessBuilder builder, double seconds) throws InterruptedException {
    Process process;
    try {
      process = builder.redirectInput(ProcessBuilder.Redirect.PIPE).start();
      process.getOutputStream().close();
    } catch (IOException e) {
      return new End(-1, String.valueOf(e.getMessage()));
    }
    boolean ended = process.waitFor((long) (1e3 * Math.max(0, seconds)), TimeUnit.MILLISECONDS);
    if (!ended) {
      List<ProcessHandle> descendants = process.descendants().toList();
      boolean gone = process.destroyForcibly().waitFor(SECONDS_TO_END, TimeUnit.SECONDS);
      descendants.forEach(ProcessHandle::destroyForcibly);
      return new End(
          -1, "stopped after %.0f s%s".formatted(seconds, gone ? "" : ", and it does not end"));
    }
    int code = process.exitValue();
    return new End(code, code == 0 ? "" : "ended with exit code " + code);
  }
}
