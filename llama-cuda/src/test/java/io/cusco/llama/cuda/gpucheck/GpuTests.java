package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.CudaException;
import io.cusco.llama.cuda.gpucheck.Rows.Row;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/// Runs tests in this JVM, on the GPU that it has.
///
/// A kernel that fails takes the GPU from its process: every later test would fail too. So the run
/// is then given up, for another process to go on with the tests that have no row yet.
final class GpuTests {
  /// Between a test's id and why it did not pass.
  private static final String SEPARATOR = ": ";

  private GpuTests() {}

  /// @param tag that the tests have
  record Selection(DiscoverySelector selector, String tag) {
    /// All that a GPU is needed for.
    static final Selection GPU =
        new Selection(DiscoverySelectors.selectPackage("io.cusco.llama.cuda"), "gpu");

    /// Some that run on the stand-in, found in the same way.
    static final Selection REHEARSAL = new Selection(GPU.selector, "rehearsed");
  }

  /// Adds a row with the number of tests, and one for each of them when it has ended: `status`,
  /// `test`, and why it did not pass. Leaves out tests that have a row.
  ///
  /// @param whenLost called after a failure with which the GPU was lost to this process; ends it
  /// @return whether none failed
  static boolean run(Selection selection, Rows rows, Runnable whenLost) throws IOException {
    Set<String> ended = ended(rows.all());
    PostDiscoveryFilter toDo =
        test -> FilterResult.includedIf(!hasEnded(test.getUniqueId().toString(), ended));
    LauncherDiscoveryRequest request =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(selection.selector)
            .filters(TagFilter.includeTags(selection.tag), toDo)
            .build();
    SummaryGeneratingListener summary = new SummaryGeneratingListener();
    Launcher launcher = LauncherFactory.create();
    launcher.execute(request, summary, new Lines(rows, whenLost));
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    summary.getSummary().printFailuresTo(out);
    out.flush();
    return summary.getSummary().getTotalFailureCount() == 0;
  }

  /// Ids of what has a row.
  private static Set<String> ended(List<Row> rows) {
    return rows.stream()
        .filter(row -> row.section() == Rows.Section.TESTS)
        .map(row -> row.values().get("test"))
        .filter(Objects::nonNull)
        .map(line -> ((String) line).split(SEPARATOR, 2)[0])
        .collect(Collectors.toSet());
  }

  /// Whether a test has a row, or what holds it, or a run of it with some arguments. Of those the
  /// others are then left out.
  static boolean hasEnded(String test, Set<String> ended) {
    return ended.stream()
        .anyMatch(id -> id.equals(test) || id.startsWith(test + "/") || test.startsWith(id + "/"));
  }

  /// Asks on a thread of its own: the test's may hold a context.
  private static boolean gpuIsLost() {
    return CompletableFuture.supplyAsync(
            GpuTests::contextFails, work -> Thread.ofPlatform().name("gpu-check").start(work))
        .join();
  }

  private static boolean contextFails() {
    try (CudaContext context = CudaContext.open(CudaDevice.all().getFirst())) {
      context.synchronize();
      return false;
    } catch (CudaException e) {
      return true;
    }
  }

  private static final class Lines implements TestExecutionListener {
    private final Rows rows;
    private final Runnable whenLost;

    Lines(Rows rows, Runnable whenLost) {
      this.rows = rows;
      this.whenLost = whenLost;
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
        String line = test.getUniqueId() + (problem.isEmpty() ? "" : SEPARATOR + problem);
        add(Rows.of("status", result.getStatus().name(), "test", line));
        System.out.println(result.getStatus() + " " + line);
      }
      if (result.getStatus() == TestExecutionResult.Status.FAILED && gpuIsLost()) {
        result.getThrowable().ifPresent(Throwable::printStackTrace);
        whenLost.run();
      }
    }

    private void add(Map<String, Object> row) {
      rows.add(Rows.Section.TESTS, row);
    }
  }
}
