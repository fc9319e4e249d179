package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;

/// Probes again and again in a JVM of its own, because a JVM binds one driver: for every argument
/// `init,version,devices,computeMajor,cublasFolder` it tells the fake driver what to answer and
/// prints the problem that the probe finds.
final class ProbeProgram {
  private ProbeProgram() {}

  public static void main(String[] cases) throws Throwable {
    String driver = System.getProperty(CudaLibraries.DRIVER_PROPERTY);
    MethodHandle answer =
        Linker.nativeLinker()
            .downcallHandle(
                SymbolLookup.libraryLookup(driver, Arena.global()).findOrThrow("fake_answer"),
                FunctionDescriptor.ofVoid(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    for (String aCase : cases) {
      String[] words = aCase.split(",", -1);
      int[] numbers = Arrays.stream(words, 0, 4).mapToInt(Integer::parseInt).toArray();
      answer.invokeExact(numbers[0], numbers[1], numbers[2], numbers[3]);
      System.setProperty(CudaLibraries.CUBLAS_PROPERTY, words[4]);
      CudaProbe probe = CudaProbe.run();
      System.out.println(probe.problem().orElse("none") + " | " + probe.details());
    }
  }
}
