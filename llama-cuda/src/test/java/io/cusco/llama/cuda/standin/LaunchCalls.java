package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_HANDLE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_VALUE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_NOT_SUPPORTED;

import io.cusco.llama.cuda.bindings.driver.CUlaunchAttribute_st;
import io.cusco.llama.cuda.bindings.driver.CUlaunchConfig_st;
import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import io.cusco.llama.cuda.emulator.LaunchConfig;
import io.cusco.llama.cuda.emulator.PtxKernel;
import io.cusco.llama.cuda.emulator.PtxParameter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Kernel launches and how many blocks fit.
final class LaunchCalls {
  /// Marks in the `extra` array of a launch (cuda.h: CU_LAUNCH_PARAM_END, _BUFFER_POINTER,
  /// _BUFFER_SIZE).
  private static final long EXTRA_END = 0;

  private static final long EXTRA_BUFFER = 1;
  private static final long EXTRA_SIZE = 2;

  private final StandIn standIn;

  LaunchCalls(StandIn standIn) {
    this.standIn = standIn;
  }

  private SimulatedFunction function(MemorySegment handle) {
    standIn.gpu().context();
    return standIn.gpu().handles().get(handle, SimulatedFunction.class);
  }

  int cuLaunchKernel(
      MemorySegment function,
      int gridX,
      int gridY,
      int gridZ,
      int blockX,
      int blockY,
      int blockZ,
      int sharedBytes,
      MemorySegment stream,
      MemorySegment parameters,
      MemorySegment extra) {
    LaunchConfig config =
        new LaunchConfig(gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes);
    launch(function(function), config, stream, parameters, extra);
    return 0;
  }

  int cuLaunchKernelEx(
      MemorySegment config, MemorySegment function, MemorySegment parameters, MemorySegment extra) {
    MemorySegment c = HostMemory.at(config, CUlaunchConfig_st.sizeof(), "config");
    rejectUnknownAttributes(CUlaunchConfig_st.attrs(c), CUlaunchConfig_st.numAttrs(c));
    LaunchConfig launch =
        new LaunchConfig(
            CUlaunchConfig_st.gridDimX(c),
            CUlaunchConfig_st.gridDimY(c),
            CUlaunchConfig_st.gridDimZ(c),
            CUlaunchConfig_st.blockDimX(c),
            CUlaunchConfig_st.blockDimY(c),
            CUlaunchConfig_st.blockDimZ(c),
            CUlaunchConfig_st.sharedMemBytes(c));
    launch(function(function), launch, CUlaunchConfig_st.hStream(c), parameters, extra);
    return 0;
  }

  /// Overlapping a launch with the one before and its priority change nothing that can be seen
  /// here.
  private static void rejectUnknownAttributes(MemorySegment attributes, int count) {
    for (int i = 0; i < count; i++) {
      long size = CUlaunchAttribute_st.sizeof();
      MemorySegment attribute =
          HostMemory.at(attributes, size * count, "attrs").asSlice(size * i, size);
      int id = CUlaunchAttribute_st.id(attribute);
      StandInFault.require(
          id == CudaDriver.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION()
              || id == CudaDriver.CU_LAUNCH_ATTRIBUTE_PRIORITY(),
          CUDA_ERROR_NOT_SUPPORTED,
          "launch attribute %s is not emulated",
          id);
    }
  }

  private void launch(
      SimulatedFunction function,
      LaunchConfig config,
      MemorySegment streamHandle,
      MemorySegment parameters,
      MemorySegment extra) {
    SimulatedContext context = standIn.gpu().context();
    SimulatedStream stream = StreamCalls.stream(standIn.gpu(), streamHandle);
    checkShape(function, config);
    byte[] packed = packed(function.kernel, parameters, extra);
    String what = "kernel " + function.kernel.name();
    Runnable action =
        () -> {
          StandInFault.require(
              !function.module.unloaded,
              CUDA_ERROR_INVALID_HANDLE,
              "%s: its module was unloaded before the stream got to the launch",
              what);
          context.onDevice(
              what,
              () ->
                  context
                      .emulator()
                      .launch(function.module.loaded, function.kernel, config, packed));
        };
    context.queues().submit(stream, new Work(Work.Kind.KERNEL, what, action));
  }

  private void checkShape(SimulatedFunction function, LaunchConfig c) {
    String name = function.kernel.name();
    StandInFault.require(
        c.gridX() > 0
            && c.gridY() > 0
            && c.gridZ() > 0
            && c.gridY() <= DeviceAttributes.MAX_GRID_DIM_YZ
            && c.gridZ() <= DeviceAttributes.MAX_GRID_DIM_YZ,
        CUDA_ERROR_INVALID_VALUE,
        "kernel %s: no grid has %s x %s x %s blocks",
        name,
        c.gridX(),
        c.gridY(),
        c.gridZ());
    long threads = (long) c.blockX() * c.blockY() * c.blockZ();
    int limit =
        Math.min(DeviceAttributes.MAX_THREADS_PER_BLOCK, function.kernel.maxThreadsPerBlock());
    StandInFault.require(
        c.blockX() > 0
            && c.blockY() > 0
            && c.blockZ() > 0
            && c.blockZ() <= DeviceAttributes.MAX_BLOCK_DIM_Z
            && threads <= limit,
        CUDA_ERROR_INVALID_VALUE,
        "kernel %s: a block of %s x %s x %s threads, at most %s are possible",
        name,
        c.blockX(),
        c.blockY(),
        c.blockZ(),
        limit);
    StandInFault.require(
        c.dynamicSharedBytes() >= 0 && c.dynamicSharedBytes() <= function.maxDynamicSharedBytes,
        CUDA_ERROR_INVALID_VALUE,
        "kernel %s: %s bytes of dynamic shared memory, at most %s are allowed:"
            + " raise it with cuFuncSetAttribute, up to the device's limit of %s",
        name,
        c.dynamicSharedBytes(),
        function.maxDynamicSharedBytes,
        standIn.gpu().settings().sharedBytesOptIn());
  }

  /// The argument values, copied now: the caller may change them as soon as the launch returns.
  private static byte[] packed(PtxKernel kernel, MemorySegment parameters, MemorySegment extra) {
    byte[] packed = new byte[kernel.parameterBytes()];
    if (extra.address() != 0) {
      StandInFault.require(
          parameters.address() == 0,
          CUDA_ERROR_INVALID_VALUE,
          "kernel %s: kernelParams and extra are both given",
          kernel.name());
      copyPacked(kernel, extra, packed);
      return packed;
    }
    int index = 0;
    for (PtxParameter parameter : kernel.parameters()) {
      long address = HostMemory.getLong(parameters, index++, "kernelParams of " + kernel.name());
      MemorySegment value =
          HostMemory.at(
              MemorySegment.ofAddress(address),
              parameter.numBytes(),
              "kernel %s: the pointer to parameter %s".formatted(kernel.name(), parameter.name()));
      MemorySegment.copy(
          value, ValueLayout.JAVA_BYTE, 0, packed, parameter.offset(), parameter.numBytes());
    }
    return packed;
  }

  private static void copyPacked(PtxKernel kernel, MemorySegment extra, byte[] packed) {
    long buffer = 0;
    long size = -1;
    int index = 0;
    for (long mark = HostMemory.getLong(extra, 0, "extra");
        mark != EXTRA_END;
        mark = HostMemory.getLong(extra, index, "extra")) {
      long value = HostMemory.getLong(extra, index + 1, "extra");
      if (mark == EXTRA_BUFFER) {
        buffer = value;
      } else if (mark == EXTRA_SIZE) {
        size =
            HostMemory.getLong(MemorySegment.ofAddress(value), "the size of the parameter buffer");
      } else {
        throw new StandInFault(
            CUDA_ERROR_INVALID_VALUE, "extra has the unknown mark 0x%x".formatted(mark));
      }
      index += 2;
    }
    StandInFault.require(
        size == packed.length,
        CUDA_ERROR_INVALID_VALUE,
        "kernel %s takes %s bytes of parameters, %s are given",
        kernel.name(),
        packed.length,
        size);
    MemorySegment values =
        HostMemory.at(MemorySegment.ofAddress(buffer), size, "the parameter buffer");
    MemorySegment.copy(values, ValueLayout.JAVA_BYTE, 0, packed, 0, packed.length);
  }

  /// By threads, blocks and shared memory. Registers, which the emulator does not allocate, may
  /// allow fewer on hardware.
  int cuOccupancyMaxActiveBlocksPerMultiprocessor(
      MemorySegment numBlocks, MemorySegment function, int blockSize, long dynamicSharedBytes) {
    SimulatedFunction f = function(function);
    StandInFault.require(
        blockSize > 0, CUDA_ERROR_INVALID_VALUE, "a block of %s threads", blockSize);
    long sharedBytes =
        f.kernel.staticSharedBytes() + dynamicSharedBytes + DeviceAttributes.RESERVED_SHARED_BYTES;
    long byShared = sharedBytesPerMultiprocessor() / sharedBytes;
    int byThreads = DeviceAttributes.THREADS_PER_MULTIPROCESSOR / roundedToWarps(blockSize);
    boolean possible =
        blockSize <= f.kernel.maxThreadsPerBlock() && dynamicSharedBytes <= f.maxDynamicSharedBytes;
    HostMemory.putInt(
        numBlocks,
        possible
            ? (int)
                Math.min(Math.min(byShared, byThreads), DeviceAttributes.BLOCKS_PER_MULTIPROCESSOR)
            : 0);
    return 0;
  }

  int cuOccupancyAvailableDynamicSMemPerBlock(
      MemorySegment numBytes, MemorySegment function, int numBlocks, int blockSize) {
    SimulatedFunction f = function(function);
    StandInFault.require(
        numBlocks > 0
            && numBlocks <= DeviceAttributes.BLOCKS_PER_MULTIPROCESSOR
            && blockSize > 0
            && (long) numBlocks * roundedToWarps(blockSize)
                <= DeviceAttributes.THREADS_PER_MULTIPROCESSOR,
        CUDA_ERROR_INVALID_VALUE,
        "%s blocks of %s threads do not fit a multiprocessor",
        numBlocks,
        blockSize);
    int perBlock =
        sharedBytesPerMultiprocessor() / numBlocks
            - DeviceAttributes.RESERVED_SHARED_BYTES
            - f.kernel.staticSharedBytes();
    HostMemory.putLong(numBytes, Math.clamp(perBlock, 0, f.maxDynamicSharedBytes));
    return 0;
  }

  private int sharedBytesPerMultiprocessor() {
    return standIn.gpu().settings().sharedBytesOptIn() + DeviceAttributes.RESERVED_SHARED_BYTES;
  }

  private static int roundedToWarps(int threads) {
    return Math.ceilDiv(threads, 32) * 32;
  }
}
