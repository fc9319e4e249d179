package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// Climbs from the driver's library to a cuBLAS handle and says in one sentence where it ends.
/// Nothing of the device is held afterwards, but for a context that is to be kept.
///
/// @param problem one sentence with the remedy; empty if everything works
/// @param facts what was found, one line each, in order
/// @param tried libraries that did not do
/// @param devices the GPUs that can be used
public record CudaProbe(
    Optional<String> problem,
    List<String> facts,
    List<CudaLibraries.Attempt> tried,
    List<CudaDevice> devices) {

  /// CUDA 12.0, the first with everything that is bound.
  private static final int MIN_DRIVER_VERSION = 12_000;

  /// The kernels are written for Ampere: bfloat16 and asynchronous copies.
  private static final int MIN_COMPUTE_MAJOR = 8;

  public CudaProbe {
    facts = List.copyOf(facts);
    tried = List.copyOf(tried);
    devices = List.copyOf(devices);
  }

  /// Runs the whole ladder. Takes some hundred milliseconds where there is a GPU.
  public static CudaProbe run() {
    return new Ladder(false).climb();
  }

  /// The same for a process that will go on with the first device: its context stays
  /// ([KeptContexts]).
  public static CudaProbe runAndKeepContext() {
    return new Ladder(true).climb();
  }

  /// The lines for `doctor`: facts, then what was tried.
  public List<String> details() {
    List<String> lines = new ArrayList<>(facts);
    tried.forEach(attempt -> lines.add("tried " + attempt));
    return lines;
  }

  private static final class Ladder {
    private final List<String> facts = new ArrayList<>();
    private final List<CudaLibraries.Attempt> tried = new ArrayList<>();
    private final boolean keepContext;
    private List<CudaDevice> devices = List.of();

    Ladder(boolean keepContext) {
      this.keepContext = keepContext;
    }

    CudaProbe climb() {
      Optional<String> problem;
      try {
        problem = firstProblem();
      } catch (LlamaException e) {
        problem = Optional.of("CUDA does not work here: " + e.getMessage());
      }
      return new CudaProbe(problem, facts, tried, devices);
    }

    private Optional<String> firstProblem() {
      CudaLibraries.Search driver = CudaLibraries.driver();
      tried.addAll(driver.failed());
      if (driver.path().isEmpty()) {
        return Optional.of(noDriver(driver.failed()));
      }
      String library = driver.path().get();
      facts.add("driver library: " + library);
      int result = CudaDriver.cuInit(0);
      if (result != CudaDriver.CUDA_SUCCESS()) {
        return Optional.of(initProblem(result, library));
      }
      int version = driverVersion();
      facts.add("driver: for CUDA %d.%d".formatted(version / 1000, version % 1000 / 10));
      if (version < MIN_DRIVER_VERSION) {
        return Optional.of(
            "the NVIDIA driver is for CUDA %d.%d, 12.0 or later is needed: update it"
                .formatted(version / 1000, version % 1000 / 10));
      }
      List<CudaDevice> all = CudaDevice.all();
      all.forEach(
          device -> facts.add("device %d: %s".formatted(device.ordinal(), device.description())));
      if (all.isEmpty()) {
        return Optional.of(
            "the NVIDIA driver shows no GPU: check nvidia-smi and CUDA_VISIBLE_DEVICES");
      }
      devices = all.stream().filter(device -> device.hasCompute(MIN_COMPUTE_MAJOR, 0)).toList();
      if (devices.isEmpty()) {
        return Optional.of(
            "%s: compute capability 8.0 or later (Ampere) is needed"
                .formatted(all.getFirst().description()));
      }
      return cublasProblem(version);
    }

    private static String noDriver(List<CudaLibraries.Attempt> failed) {
      // An explicit choice, or a driver that is there and does not load, deserves its own words.
      return failed.stream()
          .filter(attempt -> failed.size() == 1 || !isAbsence(attempt.reason()))
          .findFirst()
          .map(attempt -> "the NVIDIA driver library cannot be used: " + attempt)
          .orElse(
              "no NVIDIA driver was found: install it, or name its library with"
                  + " -Dllama.cuda.driver=FILE");
    }

    private static boolean isAbsence(String reason) {
      return reason.equals("no such file")
          || reason.equals(DynamicLibrary.NOT_IN_SYSTEM)
          || reason.contains("No such file")
          || reason.contains("Cannot open library");
    }

    /// The codes that a machine without a working GPU gives.
    private static String initProblem(int result, String library) {
      if (result == CudaDriver.CUDA_ERROR_NO_DEVICE()) {
        return "the NVIDIA driver sees no GPU: check nvidia-smi and CUDA_VISIBLE_DEVICES, and give a"
            + " container its GPUs";
      }
      if (result == CudaDriver.CUDA_ERROR_STUB_LIBRARY()) {
        return "%s is the CUDA toolkit's stub, not a driver: install the NVIDIA driver and take the stubs folder off the library path"
            .formatted(library);
      }
      if (result == CudaDriver.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH()) {
        return "the NVIDIA driver's library and kernel module have different versions: restart the machine after an update";
      }
      if (result == CudaDriver.CUDA_ERROR_NOT_INITIALIZED()
          || result == CudaDriver.CUDA_ERROR_UNKNOWN()) {
        return "the NVIDIA driver does not start (cuInit: %s): load its kernel module, or restart the machine"
            .formatted(Status.driverErrorName(result));
      }
      return "the NVIDIA driver does not start (cuInit: %s, %s)"
          .formatted(Status.driverErrorName(result), Status.driverErrorText(result));
    }

    private static int driverVersion() {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment version = arena.allocate(JAVA_INT);
        Status.checkDriver(CudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion", "");
        return version.get(JAVA_INT, 0);
      }
    }

    private Optional<String> cublasProblem(int driverVersion) {
      CudaLibraries.Search cublas = CudaLibraries.cublas(driverVersion);
      tried.addAll(cublas.failed());
      if (cublas.path().isEmpty()) {
        return Optional.of(
            "cuBLAS was not found: install the CUDA toolkit or the Python package nvidia-cublas, or name the folder with -Dllama.cublas.dir=DIR");
      }
      facts.add("cuBLAS: %s, version %s".formatted(cublas.path().get(), Cublas.version()));
      // A context belongs to a platform thread, and the caller's may have one of its own.
      return CompletableFuture.supplyAsync(
              () -> handleProblem(devices.getFirst()),
              work -> Thread.ofPlatform().name("cusco-cuda-probe").start(work))
          .join();
    }

    private Optional<String> handleProblem(CudaDevice device) {
      try (CudaContext context = CudaContext.open(device);
          CudaStream stream = CudaStream.create(context);
          DeviceBuffer workspace = DeviceBuffer.allocate(context, "cuBLAS workspace", 1 << 20);
          Cublas _ = Cublas.create(stream, workspace);
          CublasLt _ = CublasLt.create(context, workspace)) {
        stream.synchronize();
        if (keepContext) {
          KeptContexts.keep(device);
        }
        return Optional.empty();
      } catch (LlamaException e) {
        return Optional.of("the GPU or cuBLAS does not start: " + e.getMessage());
      }
    }
  }
}
