package io.cusco.llama.cuda.standin;

import java.lang.reflect.Method;
import org.junit.jupiter.api.extension.DynamicTestInvocationContext;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.jupiter.api.extension.ReflectiveInvocationContext;

/// Tells beside the failure of a test on the stand-in what the stand-in found wrong: all that a
/// driver's caller gets is a code.
public final class StandInFaults implements InvocationInterceptor {
  @Override
  public void interceptTestMethod(
      Invocation<Void> test, ReflectiveInvocationContext<Method> method, ExtensionContext context)
      throws Throwable {
    proceed(test);
  }

  @Override
  public void interceptTestTemplateMethod(
      Invocation<Void> test, ReflectiveInvocationContext<Method> method, ExtensionContext context)
      throws Throwable {
    proceed(test);
  }

  @Override
  public void interceptDynamicTest(
      Invocation<Void> test, DynamicTestInvocationContext dynamic, ExtensionContext context)
      throws Throwable {
    proceed(test);
  }

  private static void proceed(Invocation<Void> test) throws Throwable {
    try {
      test.proceed();
    } catch (Throwable failure) {
      String fault = StandIn.install().lastFault();
      if (!fault.isEmpty()) {
        failure.addSuppressed(new AssertionError("last fault of the stand-in: " + fault));
      }
      throw failure;
    }
  }
}
