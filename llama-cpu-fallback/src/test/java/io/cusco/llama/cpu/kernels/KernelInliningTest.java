package io.cusco.llama.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.classfile.MethodModel;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jdk.incubator.vector.Vector;
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
  private static final Pattern CALL =
      Pattern.compile("@ \\d+ +(?<type>[\\w.$]+)::(?<method>\\w+) ");

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
                "-XX:MaxVectorSize=" + option("MaxVectorSize"), // that of this JVM
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

  /// Two of them in one compiled method would pass the limit that one of them keeps.
  @Test
  void kernelsOfRepackedWeightsAreTooLargeToBeInlinedIntoTheirCaller() throws Exception {
    Map<String, Integer> sizes = codeLengths(VectorPacked.class);
    assertThat(sizes).containsKeys("fourBits", "fiveBits", "fourBitsK", "fiveBitsK", "sixBitsK");
    sizes.keySet().removeIf(name -> !name.contains("Bits"));
    assertThat(sizes.values()).allMatch(size -> size > Integer.parseInt(option("FreqInlineSize")));
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

  private static boolean passesVectors(String type, String name) throws ClassNotFoundException {
    if (!type.startsWith("io.cusco.")) {
      return type.contains(".vector.");
    }
    return Arrays.stream(Class.forName(type).getDeclaredMethods())
        .filter(method -> method.getName().equals(name))
        .flatMap(method ->
            Stream.concat(
                Stream.of(method.getReturnType()), Arrays.stream(method.getParameterTypes())))
        .anyMatch(Vector.class::isAssignableFrom);
  }

  private static Map<String, Integer> codeLengths(Class<?> type) throws IOException {
    Map<String, Integer> lengths = new HashMap<>();
    try (InputStream bytes = type.getResourceAsStream(type.getSimpleName() + ".class")) {
      for (MethodModel method : ClassFile.of().parse(bytes.readAllBytes()).methods()) {
        method
            .findAttribute(Attributes.code())
            .ifPresent(code -> lengths.put(method.methodName().stringValue(), code.codeLength()));
      }
    }
    return lengths;
  }

  private static String option(String name) {
    return ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
        .getVMOption(name)
        .getValue();
  }

  /// Each cut-off call that vectors go through, with the last call of a kernel that the log has
  /// before it, which is its caller or a neighbour. Any other call costs what a call costs.
  private static List<String> cutOff(List<String> lines) throws ClassNotFoundException {
    List<String> found = new ArrayList<>();
    String kernel = "";
    for (String line : lines) {
      Matcher call = CALL.matcher(line);
      if (line.contains(CUTOFF)
          && (!call.find() || passesVectors(call.group("type"), call.group("method")))) {
        found.add(line.strip() + " (after " + kernel + ")");
      }
      if (line.contains("io.cusco")) {
        kernel = line.strip();
      }
    }
    return found;
  }
}
