package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_CONTEXT_IS_DESTROYED;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_CONTEXT;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_DEVICE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_NOT_INITIALIZED;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_SUCCESS;

import io.cusco.llama.cuda.emulator.Coverage;
import io.cusco.llama.cuda.emulator.DeviceMemory;
import io.cusco.llama.cuda.emulator.EmulatorOptions;
import io.cusco.llama.cuda.emulator.PtxEmulator;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.WeakHashMap;

/// All state of the stand-in: the driver's, the device's and that of the cuBLAS handles. A test
/// gets a new one.
final class SimulatedGpu {
  /// What lives in a context and has to be destroyed before it ends, with the call that does so.
  private static final Map<Class<?>, String> CONTEXT_OBJECTS =
      Map.of(
          SimulatedStream.class, "cuStreamDestroy",
          SimulatedEvent.class, "cuEventDestroy",
          SimulatedModule.class, "cuModuleUnload",
          SimulatedGraph.class, "cuGraphDestroy",
          GraphExec.class, "cuGraphExecDestroy",
          CublasHandle.class, "cublasDestroy",
          LtHandle.class, "cublasLtDestroy",
          LtDescriptor.class, "cublasLtMatmulDescDestroy",
          LtLayout.class, "cublasLtMatrixLayoutDestroy",
          LtPreference.class, "cublasLtMatmulPreferenceDestroy");

  private final StandInSettings settings;
  private final Random random;
  private final Coverage coverage;
  private final Handles handles = new Handles();
  private final PinnedMemory pinned = new PinnedMemory();
  private final List<String> leaks = new ArrayList<>();
  private final Map<Thread, SimulatedContext> current = new WeakHashMap<>();
  private boolean initialized;
  private SimulatedContext primary;
  private MemorySegment primaryHandle = MemorySegment.NULL;
  private int retains;
  private int primaryFlags;
  private long poolReleaseThreshold;

  /// @param coverage gets what the kernels of every context execute
  SimulatedGpu(StandInSettings settings, long seed, Coverage coverage) {
    this.settings = settings;
    this.coverage = coverage;
    this.random = new Random(seed);
  }

  StandInSettings settings() {
    return settings;
  }

  Random random() {
    return random;
  }

  Handles handles() {
    return handles;
  }

  PinnedMemory pinned() {
    return pinned;
  }

  void init() {
    StandInFault.require(
        settings.initResult() == CUDA_SUCCESS, settings.initResult(), "the test's settings say so");
    StandInFault.require(
        settings.numDevices() > 0, CuResult.CUDA_ERROR_NO_DEVICE, "the test's settings say so");
    initialized = true;
  }

  void requireInitialized() {
    StandInFault.require(initialized, CUDA_ERROR_NOT_INITIALIZED, "cuInit was not called");
  }

  void requireDevice(int device) {
    requireInitialized();
    StandInFault.require(
        device >= 0 && device < settings.numDevices(),
        CUDA_ERROR_INVALID_DEVICE,
        "device %s of %s",
        device,
        settings.numDevices());
  }

  /// The calling thread's context.
  ///
  /// @throws StandInFault if there is none, if it has ended, or if it was lost to an earlier error
  SimulatedContext context() {
    requireInitialized();
    SimulatedContext context = current.get(Thread.currentThread());
    StandInFault.require(
        context != null,
        CUDA_ERROR_INVALID_CONTEXT,
        "thread %s has no current context: call cuCtxSetCurrent there first",
        Thread.currentThread().getName());
    StandInFault.require(
        context == primary, CUDA_ERROR_CONTEXT_IS_DESTROYED, "the current context was released");
    if (context.lost() != null) {
      throw context.lost();
    }
    return context;
  }

  /// The calling thread's context as a handle; NULL if it has none.
  MemorySegment currentHandle() {
    boolean alive = primary != null && current.get(Thread.currentThread()) == primary;
    return alive ? primaryHandle : MemorySegment.NULL;
  }

  void setCurrent(MemorySegment handle) {
    if (handle.address() == 0) {
      current.remove(Thread.currentThread());
    } else {
      current.put(Thread.currentThread(), handles.get(handle, SimulatedContext.class));
    }
  }

  MemorySegment retainPrimary() {
    if (retains++ == 0) {
      DeviceMemory memory = new DeviceMemory(settings.totalBytes());
      PtxEmulator emulator = new PtxEmulator(memory, EmulatorOptions.checked(random.nextLong()));
      primary = new SimulatedContext(memory, emulator, new WorkQueues(random));
      primaryHandle = handles.register(primary);
    }
    return primaryHandle;
  }

  void releasePrimary() {
    StandInFault.require(
        retains > 0, CUDA_ERROR_INVALID_CONTEXT, "the primary context is not retained");
    if (--retains == 0) {
      if (primary.lost() == null) {
        noteLeaks();
      }
      pinned.abandon();
      CONTEXT_OBJECTS.keySet().forEach(handles::removeAll);
      handles.removeAll(SimulatedFunction.class);
      handles.remove(primaryHandle, SimulatedContext.class);
      retire();
    }
  }

  /// Ends the primary context as it is, if there is one, and keeps what its kernels executed.
  void retire() {
    if (primary != null) {
      coverage.merge(primary.emulator().coverage());
      primary.queues().clear();
      primary = null;
    }
  }

  int primaryFlags() {
    return primaryFlags;
  }

  void setPrimaryFlags(int flags) {
    primaryFlags = flags;
  }

  /// Bytes that the memory pool may keep; nothing here depends on it.
  long poolReleaseThreshold() {
    return poolReleaseThreshold;
  }

  void setPoolReleaseThreshold(long numBytes) {
    poolReleaseThreshold = numBytes;
  }

  /// The primary context while somebody retains it, else null.
  SimulatedContext primary() {
    return primary;
  }

  private void noteLeaks() {
    leaks.addAll(primary.leaks());
    CONTEXT_OBJECTS.forEach((type, call) -> {
      for (Object object : handles.all(type)) {
        leaks.add(object + " outlived its context: " + call + " was not called");
      }
    });
    leaks.addAll(pinned.leaks());
  }

  /// What was not given back when the context ended, and the context itself if it did not end.
  List<String> leaks() {
    List<String> lines = new ArrayList<>(leaks);
    if (primary != null && primary.lost() == null) {
      lines.add("the primary context is still retained " + retains + " times");
    }
    return lines;
  }
}
