package io.cusco.llama.cuda.gpucheck;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/// Runs the tests with the tag `gpu` in this JVM, on the GPU that it has.
final class GpuTests {
  private GpuTests() {}

  /// @param failures a line for each test that failed
  /// @param aborted a line for each test that did not run, with its reason
  record Outcome(
      long found, long succeeded, List<String> failures, List<String> aborted, double seconds) {}

  /// @param out gets a line per test, flushed, and the stack traces of failures
  static Outcome run(PrintWriter out) {
    LauncherDiscoveryRequest request =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(DiscoverySelectors.selectPackage("io.cusco.llama.cuda"))
            .filters(TagFilter.includeTags("gpu"))
            .build();
    SummaryGeneratingListener summary = new SummaryGeneratingListener();
    Lines lines = new Lines(out);
    Launcher launcher = LauncherFactory.create();
    Instant start = Instant.now();
    launcher.execute(request, summary, lines);
    summary.getSummary().printFailuresTo(out);
    out.flush();
    return new Outcome(
        summary.getSummary().getTestsFoundCount(),
        summary.getSummary().getTestsSucceededCount(),
        lines.failures,
        lines.aborted,
        Duration.between(start, Instant.now()).toMillis() / 1e3);
  }

  private static final class Lines implements TestExecutionListener {
    private final PrintWriter out;
    private final List<String> failures = new ArrayList<>();
    private final List<String> aborted = new ArrayList<>();

    Lines(PrintWriter out) {
      this.out = out;
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      String problem = result.getThrowable().map(Throwable::toString).orElse("");
      String line = test.getUniqueId() + (problem.isEmpty() ? "" : ": " + problem);
      switch (result.getStatus()) {
        case FAILED -> failures.add(line);
        case ABORTED -> aborted.add(line);
        case SUCCESSFUL -> {}
      }
      if (test.isTest() || !problem.isEmpty()) {
        out.println(result.getStatus() + " " + line);
        out.flush();
      }
    }
  }

  static PrintWriter stdout() {
    return new PrintWriter(System.out, true, StandardCharsets.UTF_8);
  }
}
