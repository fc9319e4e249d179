package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// The primary contexts that live until the process ends, whoever opens and closes them in between:
/// the CUDA runtime inside cuBLAS has its state in the context that it first saw, and does not
/// learn that the driver has made another one. A context takes some hundred megabytes of the device
/// and some tenths of a second to make. For any thread.
public final class KeptContexts {
  private static final Map<Integer, CudaDevice> KEPT = new ConcurrentHashMap<>();

  private KeptContexts() {}

  /// Keeps the context that is `device`'s now, or makes it.
  ///
  /// @throws CudaException if the driver refuses
  public static void keep(CudaDevice device) {
    KEPT.computeIfAbsent(
        device.ordinal(),
        _ -> {
          try (Arena arena = Arena.ofConfined()) {
            Status.checkDriver(
                CudaDriver.cuDevicePrimaryCtxRetain(arena.allocate(ADDRESS), device.handle()),
                "cuDevicePrimaryCtxRetain",
                device.label());
            return device;
          }
        });
  }

  /// Keeps none any more; for who ends with CUDA before the process does.
  public static void release() {
    List<CudaDevice> kept = List.copyOf(KEPT.values());
    KEPT.clear();
    for (CudaDevice device : kept) {
      Status.checkDriver(
          CudaDriver.cuDevicePrimaryCtxRelease_v2(device.handle()),
          "cuDevicePrimaryCtxRelease_v2",
          device.label());
    }
  }
}
