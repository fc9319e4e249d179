package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.KeptContexts;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.platform.commons.support.AnnotationSupport;

/// See [EmulatedGpu].
final class EmulatedGpuExtension
    implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback, ParameterResolver {

  private static final String SEED_PROPERTY = "llama.standin.seed";

  private static final Set<String> STARTED = ConcurrentHashMap.newKeySet();

  private final long seed = Long.getLong(SEED_PROPERTY, new Random().nextInt(1_000_000));

  @Override
  public void beforeAll(ExtensionContext testClass) {
    STARTED.add(testClass.getRequiredTestClass().getName());
    System.out.printf(
        "%s: stand-in with -D%s=%d%n",
        testClass.getRequiredTestClass().getSimpleName(), SEED_PROPERTY, seed);
  }

  /// Names of the test classes that have started in this JVM.
  static Set<String> startedClasses() {
    return STARTED;
  }

  @Override
  public void beforeEach(ExtensionContext test) {
    EmulatedGpu gpu =
        AnnotationSupport.findAnnotation(test.getRequiredTestClass(), EmulatedGpu.class)
            .orElseThrow();
    StandInSettings settings =
        StandInSettings.DEFAULT
            .withComputeCapability(gpu.compute() / 10, gpu.compute() % 10)
            .withCublasVersion(gpu.cublas());
    KeptContexts.release(); // of the device that goes
    StandIn.install().reset(settings, seed);
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext test) {
    Class<?> type = parameter.getParameter().getType();
    return type == CudaContext.class || type == StandIn.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext test) {
    if (parameter.getParameter().getType() == StandIn.class) {
      return StandIn.install();
    }
    CudaDriver.cuInit(0);
    return SuppliedContext.open(test, CudaDevice.all().getFirst());
  }

  /// Leaks of a test that failed anyway are a consequence, and not reported.
  @Override
  public void afterEach(ExtensionContext test) {
    boolean passed = test.getExecutionException().isEmpty();
    try {
      SuppliedContext.close(test);
      KeptContexts.release();
    } catch (RuntimeException e) {
      if (passed) {
        throw e;
      }
    }
    List<String> leaks = StandIn.install().leaks();
    if (passed && !leaks.isEmpty()) {
      throw new AssertionError("the test left behind:\n" + String.join("\n", leaks));
    }
  }
}
