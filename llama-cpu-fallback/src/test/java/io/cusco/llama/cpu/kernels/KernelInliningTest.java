package io.cusco.llama.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Guards what no result shows: a kernel too big for the JIT compiler is compiled all the same, but
/// from some point on calls its vector operations instead of inlining them. Each call then
/// allocates its vectors, and the kernel runs 50 times slower. The compiler says so in its inlining
/// log (HotSpot, `InlineTree::try_to_inline`, limit `-XX:NodeCountInliningCutoff`).
@Timeout(120)
@Tag("slow")
class KernelInliningTest {
  private static final String CUTOFF = "NodeCountInliningCutoff";

  @Test
  void noKernelIsTooBigToBeInlinedOrGivesOtherBitsOnceCompiled(@TempDir Path folder)
      throws Exception {
    Path log = folder.resolve("inlining.log");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-Xmx256m",
                "-XX:MaxVectorSize=" + maxVectorBytes(),
                "-XX:+UnlockDiagnosticVMOptions",
                "-XX:+PrintInlining",
                "-cp",
                System.getProperty("java.class.path"),
                KernelWarmUp.class.getName())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    boolean ended = process.waitFor(100, TimeUnit.SECONDS);
    process.destroyForcibly().waitFor();
    List<String> lines = Files.readAllLines(log, StandardCharsets.UTF_8);
    assertThat(ended).as("the JVM with the kernels ended").isTrue();
    assertThat(process.exitValue()).as(String.join("\n", lines)).isZero();
    assertThat(lines)
        .as("the inlining log names the kernels")
        .anyMatch(line -> line.contains("io.cusco.llama.cpu.kernels"));
    assertThat(cutOff(lines)).as("calls that were not inlined").isEmpty();
  }

  @Test
  void everyKernelIsAmongThem() {
    Set<String> called = new HashSet<>();
    Kernels vector = new VectorKernels();
    Object recording =
        Proxy.newProxyInstance(
            Kernels.class.getClassLoader(),
            new Class<?>[] {Kernels.class},
            (proxy, method, arguments) -> {
              called.add(method.getName());
              return method.invoke(vector, arguments);
            });
    new KernelWarmUp((Kernels) recording, 0).run();
    assertThat(Kernels.class.getMethods())
        .filteredOn(KernelInliningTest::computes)
        .allSatisfy(kernel -> assertThat(called).contains(kernel.getName()));
  }

  /// Whether this is a kernel and not a question about them.
  private static boolean computes(Method method) {
    List<Class<?>> parameters = List.of(method.getParameterTypes());
    return parameters.contains(MemorySegment.class) || parameters.contains(float[].class);
  }

  /// The width that this JVM was told to stay within, which the kernels' JVM shares.
  private static String maxVectorBytes() {
    return ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
        .getVMOption("MaxVectorSize")
        .getValue();
  }

  /// Each cut-off call, with the last call of a kernel that the log has before it, which is its
  /// caller or a neighbour.
  private static List<String> cutOff(List<String> lines) {
    List<String> found = new ArrayList<>();
    String kernel = "";
    for (String line : lines) {
      if (line.contains(CUTOFF)) {
        found.add(line.strip() + " (after " + kernel + ")");
      }
      if (line.contains("io.cusco")) {
        kernel = line.strip();
      }
    }
    return found;
  }
}
