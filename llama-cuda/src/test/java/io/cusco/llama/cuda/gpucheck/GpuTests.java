package io.cusco.llama.cuda.gpucheck;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/// Runs tests in this JVM, on the GPU that it has.
final class GpuTests {
  private GpuTests() {}

  /// @param tag that the tests have
  record Selection(DiscoverySelector selector, String tag) {
    /// All that a GPU is needed for.
    static final Selection GPU =
        new Selection(DiscoverySelectors.selectPackage("io.cusco.llama.cuda"), "gpu");

    /// One that runs on the stand-in.
    static final Selection REHEARSAL =
        new Selection(DiscoverySelectors.selectClass(CeilingsTest.class), "emulated");
  }

  /// Adds a row with the number of tests, and one for each of them when it has ended: `status`,
  /// `test`, and why it did not pass.
  ///
  /// @return whether none failed
  static boolean run(Selection selection, Rows rows) {
    LauncherDiscoveryRequest request =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(selection.selector)
            .filters(TagFilter.includeTags(selection.tag))
            .build();
    SummaryGeneratingListener summary = new SummaryGeneratingListener();
    Launcher launcher = LauncherFactory.create();
    launcher.execute(request, summary, new Lines(rows));
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    summary.getSummary().printFailuresTo(out);
    out.flush();
    return summary.getSummary().getTotalFailureCount() == 0;
  }

  private static final class Lines implements TestExecutionListener {
    private final Rows rows;

    Lines(Rows rows) {
      this.rows = rows;
    }

    @Override
    public void testPlanExecutionStarted(TestPlan plan) {
      add(Rows.of("found", plan.countTestIdentifiers(TestIdentifier::isTest)));
    }

    /// Tests are told of, and what holds tests where it did not even get to them.
    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      String problem = result.getThrowable().map(Throwable::toString).orElse("");
      if (test.isTest() || !problem.isEmpty()) {
        String line = test.getUniqueId() + (problem.isEmpty() ? "" : ": " + problem);
        add(Rows.of("status", result.getStatus().name(), "test", line));
        System.out.println(result.getStatus() + " " + line);
      }
    }

    private void add(Map<String, Object> row) {
      rows.add(Rows.Section.TESTS, row);
    }
  }
}
