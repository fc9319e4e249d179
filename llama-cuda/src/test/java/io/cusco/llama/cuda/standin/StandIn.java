package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.bindings.NativeLibrary;
import io.cusco.llama.cuda.bindings.cublas.Cublas;
import io.cusco.llama.cuda.bindings.cublaslt.CublasLt;
import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import io.cusco.llama.cuda.emulator.Coverage;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;
import java.util.function.BiConsumer;

/// A CUDA driver, a cuBLAS and a cublasLt in Java, behind the real bindings: every call goes
/// through the generated code and C's calling convention, kernels run in the PTX emulator.
///
/// There is one per JVM, because the bindings link once. A test starts with [#reset], which gives
/// it a device that nothing has touched, and asks [#lastFault()] why a call failed and [#leaks()]
/// what was not given back. One lock around every call; host threads may call at once.
///
/// Nothing here measures a GPU. Elapsed time between events is always zero.
public final class StandIn {
  private static StandIn installed;

  private final Coverage coverage = new Coverage();
  private SimulatedGpu gpu = new SimulatedGpu(StandInSettings.DEFAULT, 0, coverage);
  private String lastFault = "";
  private BiConsumer<String, Object[]> observer = (name, arguments) -> {};

  private StandIn() {}

  /// The stand-in of this JVM; the first call binds the three libraries to it.
  public static synchronized StandIn install() {
    if (installed == null) {
      StandIn standIn = new StandIn();
      List<?> driver =
          List.of(
              new DeviceCalls(standIn),
              new MemoryCalls(standIn),
              new CopyCalls(standIn),
              new ModuleCalls(standIn),
              new LaunchCalls(standIn),
              new StreamCalls(standIn),
              new CaptureCalls(standIn),
              new GraphCalls(standIn));
      NativeLibrary.use(
          NativeLibrary.DRIVER, new StandInSymbols(CudaDriver.class, driver, standIn));
      NativeLibrary.use(
          NativeLibrary.CUBLAS,
          new StandInSymbols(Cublas.class, List.of(new CublasCalls(standIn)), standIn));
      NativeLibrary.use(
          NativeLibrary.CUBLAS_LT,
          new StandInSymbols(
              CublasLt.class,
              List.of(new LtDescriptorCalls(standIn), new LtMatmulCalls(standIn)),
              standIn));
      installed = standIn;
    }
    return installed;
  }

  /// Forgets everything and starts with a device of these facts.
  ///
  /// @param seed for the order of streams, graph nodes, blocks and warps
  public synchronized void reset(StandInSettings settings, long seed) {
    gpu.retire();
    gpu = new SimulatedGpu(settings, seed, coverage);
    lastFault = "";
    observer = (name, arguments) -> {};
  }

  /// Shows every call to `calls`, name and arguments, before it is made; until the next [#reset].
  public synchronized void observe(BiConsumer<String, Object[]> calls) {
    observer = calls;
  }

  /// Which PTX instructions ran in this JVM, over all resets. Modules go by [#moduleName].
  public synchronized Coverage coverage() {
    Coverage total = new Coverage();
    total.merge(coverage);
    if (gpu.primary() != null) {
      total.merge(gpu.primary().emulator().coverage());
    }
    return total;
  }

  /// What coverage and fault messages call the module of a PTX text; a driver is given no name.
  public static String moduleName(String ptx) {
    return ModuleCalls.moduleName(ptx);
  }

  synchronized SimulatedGpu gpu() {
    return gpu;
  }

  /// What the last failed call found wrong, for which the caller got no more than a code; empty if
  /// none failed.
  public synchronized String lastFault() {
    return lastFault;
  }

  /// What was not given back when its context ended, one line each, and the context if it did not
  /// end.
  public synchronized List<String> leaks() {
    return gpu.leaks();
  }

  /// Makes one call of a library. Nothing may leave it but a return value: an exception in an
  /// upcall ends the JVM.
  synchronized Object call(String name, MethodHandle function, Object[] arguments) {
    observer.accept(name, arguments);
    try {
      return function.invoke(arguments);
    } catch (StandInFault fault) {
      lastFault = name + ": " + fault.getMessage();
      noteIfLost(fault);
      return failure(name, function, fault.status());
    } catch (Throwable t) {
      StringWriter trace = new StringWriter();
      t.printStackTrace(new PrintWriter(trace));
      lastFault = name + ": the stand-in itself failed: " + trace;
      return failure(name, function, CuResult.CUDA_ERROR_UNKNOWN);
    }
  }

  private void noteIfLost(StandInFault fault) {
    if (gpu.primary() != null) {
      gpu.primary().note(fault);
    }
  }

  private static Object failure(String name, MethodHandle function, Status status) {
    Class<?> type = function.type().returnType();
    if (type == MemorySegment.class) {
      return MemorySegment.NULL;
    }
    if (type == long.class) {
      return 0L;
    }
    if (name.startsWith("cublas")) {
      return CublasStatus.from(status).code();
    }
    return (status instanceof CuResult ? status : CuResult.CUDA_ERROR_UNKNOWN).code();
  }
}
