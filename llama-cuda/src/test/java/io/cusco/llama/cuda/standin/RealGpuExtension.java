package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.CudaProbe;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/// See [RealGpu].
final class RealGpuExtension implements BeforeAllCallback, AfterEachCallback, ParameterResolver {
  private CudaDevice device;

  @Override
  public void beforeAll(ExtensionContext testClass) {
    CudaProbe probe = CudaProbe.run();
    Assumptions.assumeTrue(
        probe.problem().isEmpty(), () -> "no GPU to test on: " + probe.problem().orElseThrow());
    device = probe.devices().getFirst();
    Assumptions.assumeFalse(
        device.name().equals(StandInSettings.DEFAULT.deviceName()),
        "no GPU to test on: this JVM is bound to the stand-in; run gpu tests in one of their own");
    System.out.printf(
        "%s: %s%n", testClass.getRequiredTestClass().getSimpleName(), device.description());
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext test) {
    return parameter.getParameter().getType() == CudaContext.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext test) {
    return SuppliedContext.open(test, device);
  }

  @Override
  public void afterEach(ExtensionContext test) {
    SuppliedContext.close(test);
  }
}
