package io.cusco.llama.cuda.standin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.cuda.emulator.Coverage;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// Shipped PTX that no test executes has been tested by nobody. Runs as the last class of its JVM
/// (junit-platform.properties) and says so where other classes were left out.
@Tag("emulated")
@Tag("slow")
@Order(Integer.MAX_VALUE)
class CoverageGateTest {
  private static final double REQUIRED = 0.95;

  private static final Path SHIPPED = Path.of("src", "main", "resources", "io/cusco/llama/cuda");

  @Test
  void theTestsExecuteTheShippedInstructions() throws IOException, URISyntaxException {
    Map<String, String> shipped = shipped();
    assumeTrue(!shipped.isEmpty(), "no PTX is shipped");
    Set<String> missing = emulatedClasses();
    missing.removeAll(EmulatedGpuExtension.startedClasses());
    assumeTrue(missing.isEmpty(), () -> "coverage says nothing: these did not run: " + missing);

    List<String> problems = new ArrayList<>();
    Set<String> neverLoaded = new TreeSet<>(shipped.values());
    for (Coverage.Kernel kernel : StandIn.install().coverage().kernels()) {
      String file = shipped.get(kernel.module());
      if (file != null) {
        neverLoaded.remove(file);
        String line =
            "%s: %s %d of %d instructions executed (%.1f %%)"
                .formatted(
                    file,
                    kernel.name(),
                    kernel.numExecuted(),
                    kernel.numInstructions(),
                    100 * kernel.ratio());
        System.out.println(line);
        if (kernel.ratio() < REQUIRED) {
          problems.add(line);
          kernel
              .unexecuted()
              .forEach(x -> problems.add("  line %d: %s".formatted(x.line(), x.text())));
        }
      }
    }
    neverLoaded.forEach(file -> problems.add(file + ": no test loads it"));
    assertThat(problems).as("kernels that tests do not execute").isEmpty();
  }

  /// Names of the shipped files by what the stand-in calls their modules.
  private static Map<String, String> shipped() throws IOException {
    Map<String, String> files = new TreeMap<>();
    if (Files.isDirectory(SHIPPED)) {
      try (Stream<Path> paths = Files.list(SHIPPED)) {
        for (Path path : paths.filter(p -> p.toString().endsWith(".ptx")).toList()) {
          files.put(StandIn.moduleName(Files.readString(path)), path.getFileName().toString());
        }
      }
    }
    return files;
  }

  /// Every class of this module's tests that runs on the stand-in.
  private static Set<String> emulatedClasses() throws IOException, URISyntaxException {
    Path root =
        Path.of(CoverageGateTest.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    Set<String> names = new TreeSet<>();
    try (Stream<Path> paths = Files.walk(root)) {
      for (Path path : paths.filter(p -> p.toString().endsWith("Test.class")).toList()) {
        String name =
            root.relativize(path).toString().replace(path.getFileSystem().getSeparator(), ".");
        String className = name.substring(0, name.length() - ".class".length());
        try {
          Class<?> type = Class.forName(className, false, CoverageGateTest.class.getClassLoader());
          if (type.isAnnotationPresent(EmulatedGpu.class)) {
            names.add(className);
          }
        } catch (ClassNotFoundException e) {
          throw new AssertionError(className, e);
        }
      }
    }
    return names;
  }
}
