package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ExtensionContext.Store;

/// The context that a test's parameters share: opened when the first one asks, closed after the
/// test.
final class SuppliedContext {
  private static final Namespace NAMESPACE = Namespace.create(SuppliedContext.class);

  private SuppliedContext() {}

  static CudaContext open(ExtensionContext test, CudaDevice device) {
    CudaContext context = store(test).get(CudaContext.class, CudaContext.class);
    if (context == null) {
      context = CudaContext.open(device);
      store(test).put(CudaContext.class, context);
    }
    return context;
  }

  /// Closes the context, if the test had one.
  static void close(ExtensionContext test) {
    CudaContext context = store(test).remove(CudaContext.class, CudaContext.class);
    if (context != null) {
      context.close();
    }
  }

  private static Store store(ExtensionContext test) {
    return test.getStore(NAMESPACE);
  }
}
