package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cuda.bindings.NativeLibrary;
import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// One kernel of a [CudaModule], which owns it. Used on the context's thread.
public final class CudaFunction {
  /// From CUDA 12.4 on; older drivers cannot be asked about parameters.
  private static final String PARAM_INFO = "cuFuncGetParamInfo";

  private final CudaContext context;
  private final CudaModule module;
  private final PtxSignature signature;
  private final List<ParameterType> types;
  private final MemorySegment handle;

  CudaFunction(
      CudaContext context,
      CudaModule module,
      PtxSignature signature,
      List<ParameterType> types,
      MemorySegment handle) {
    this.context = context;
    this.module = module;
    this.signature = signature;
    this.types = types;
    this.handle = handle;
  }

  public String name() {
    return signature.kernel();
  }

  /// A block of arguments to be filled in and launched with, as often as wanted.
  public LaunchParameters newParameters() {
    return new LaunchParameters(name(), types);
  }

  /// Queues a launch. `parameters` may be changed as soon as this returns.
  public void launch(CudaStream stream, LaunchShape shape, LaunchParameters parameters) {
    module.checkUsable();
    int result =
        CudaDriver.cuLaunchKernel(
            handle,
            shape.gridX(),
            shape.gridY(),
            shape.gridZ(),
            shape.blockX(),
            shape.blockY(),
            shape.blockZ(),
            shape.sharedBytes(),
            stream.handle(),
            parameters.pointers(),
            MemorySegment.NULL);
    if (result != CudaDriver.CUDA_SUCCESS()) {
      throw Status.driverFailure(
          result, "cuLaunchKernel", context.label(), "; kernel %s, %s".formatted(name(), shape));
    }
  }

  /// Lets launches ask for up to `bytes` of dynamic shared memory; needed above 48 KB.
  public void setMaxDynamicSharedBytes(int bytes) {
    module.checkUsable();
    context.check(
        CudaDriver.cuFuncSetAttribute(
            handle, CudaDriver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES(), bytes),
        "cuFuncSetAttribute");
  }

  /// Registers of each thread, as translated for this device.
  public int numRegisters() {
    return attribute(CudaDriver.CU_FUNC_ATTRIBUTE_NUM_REGS());
  }

  /// Bytes of each thread in local memory: arrays and spilled registers.
  public int localBytes() {
    return attribute(CudaDriver.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES());
  }

  /// Blocks of this shape that one multiprocessor holds at a time.
  public int maxActiveBlocks(int threadsPerBlock, int dynamicSharedBytes) {
    module.checkUsable();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment blocks = arena.allocate(JAVA_INT);
      context.check(
          CudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor(
              blocks, handle, threadsPerBlock, dynamicSharedBytes),
          "cuOccupancyMaxActiveBlocksPerMultiprocessor");
      return blocks.get(JAVA_INT, 0);
    }
  }

  private int attribute(int attribute) {
    module.checkUsable();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(JAVA_INT);
      context.check(CudaDriver.cuFuncGetAttribute(value, attribute, handle), "cuFuncGetAttribute");
      return value.get(JAVA_INT, 0);
    }
  }

  /// Asks the driver, where it can be asked, for the layout that the PTX text promises.
  void checkAgainstDriver() {
    boolean canAsk =
        NativeLibrary.DRIVER.symbols().flatMap(symbols -> symbols.find(PARAM_INFO)).isPresent();
    if (!canAsk) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment offset = arena.allocate(JAVA_LONG);
      MemorySegment size = arena.allocate(JAVA_LONG);
      List<PtxSignature.Parameter> parameters = signature.parameters();
      for (int i = 0; i < parameters.size(); i++) {
        context.check(CudaDriver.cuFuncGetParamInfo(handle, i, offset, size), PARAM_INFO);
        PtxSignature.Parameter parameter = parameters.get(i);
        if (offset.get(JAVA_LONG, 0) != parameter.offset()
            || size.get(JAVA_LONG, 0) != parameter.numBytes()) {
          throw new LlamaException(
              "kernel %s: parameter %d is %d bytes at %d by the PTX, %d bytes at %d by the driver"
                  .formatted(
                      name(),
                      i,
                      parameter.numBytes(),
                      parameter.offset(),
                      size.get(JAVA_LONG, 0),
                      offset.get(JAVA_LONG, 0)));
        }
      }
    }
  }
}
