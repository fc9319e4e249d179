package io.cusco.llama.cpu;

import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.ScalarKernels;
import io.cusco.llama.cpu.kernels.VectorKernels;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Picks vector kernels where the JVM has the Vector API, scalar ones elsewhere.
final class KernelChoice {
  private static final String VECTOR_MODULE = "jdk.incubator.vector";
  private static final Logger LOG = LoggerFactory.getLogger(KernelChoice.class);

  private KernelChoice() {}

  /// Vector kernels if this JVM has them; otherwise scalar ones and one line in the log.
  static Kernels best() {
    if (hasVectorApi()) {
      return new VectorKernels();
    }
    LOG.warn(
        "the Vector API is missing, so the CPU runs scalar code, many times slower; start the JVM with"
            + " --add-modules {}",
        VECTOR_MODULE);
    return new ScalarKernels();
  }

  /// What [#best()] would run, in a few words.
  static String description() {
    return (hasVectorApi() ? new VectorKernels() : new ScalarKernels()).description();
  }

  /// Asks for the module before any class that uses it loads: on the class path it is absent unless
  /// a flag names it, and then the first use would fail with NoClassDefFoundError.
  private static boolean hasVectorApi() {
    return ModuleLayer.boot().findModule(VECTOR_MODULE).isPresent();
  }
}
