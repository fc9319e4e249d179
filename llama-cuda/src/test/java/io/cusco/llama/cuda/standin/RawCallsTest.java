package io.cusco.llama.cuda.standin;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.bindings.driver.CUlaunchConfig_st;
import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import io.cusco.llama.cuda.driver.CudaContext;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the driver layer has no use for yet, through the bindings alone.
@EmulatedGpu
class RawCallsTest {
  private static final MemorySegment NULL = MemorySegment.NULL;
  private static final int THREADS = 32;
  private static final long NUM_BYTES = 4L * THREADS;

  private final Arena arena = Arena.ofConfined();
  private final MemorySegment out = arena.allocate(8);
  private final MemorySegment host = arena.allocate(NUM_BYTES);
  private MemorySegment module;
  private MemorySegment reverse;
  private long x;

  @BeforeEach
  void loadModule(CudaContext context) {
    assertThat(context.device().ordinal()).isZero();
    ok(CudaDriver.cuModuleLoadData(out, arena.allocateFrom(SamplePtx.REVERSE)));
    module = pointer();
    ok(CudaDriver.cuModuleGetFunction(out, module, arena.allocateFrom("reverse")));
    reverse = pointer();
    ok(CudaDriver.cuMemAlloc_v2(out, NUM_BYTES));
    x = out.get(ValueLayout.JAVA_LONG, 0);
    for (int i = 0; i < THREADS; i++) {
      host.setAtIndex(ValueLayout.JAVA_INT, i, i);
    }
    ok(CudaDriver.cuMemcpyHtoD_v2(x, host, NUM_BYTES));
  }

  @AfterEach
  void unload() {
    ok(CudaDriver.cuMemFree_v2(x));
    ok(CudaDriver.cuModuleUnload(module));
    arena.close();
  }

  private static void ok(int result) {
    assertThat(result).as(() -> StandIn.install().lastFault()).isZero();
  }

  private static void fails(int result, CuResult expected) {
    assertThat(CuResult.of(result)).isEqualTo(expected);
  }

  private MemorySegment pointer() {
    return out.get(ValueLayout.ADDRESS, 0);
  }

  private int firstValue() {
    ok(CudaDriver.cuMemcpyDtoH_v2(host, x, NUM_BYTES));
    return host.get(ValueLayout.JAVA_INT, 0);
  }

  private MemorySegment stream(int flags) {
    ok(CudaDriver.cuStreamCreate(out, flags));
    return pointer();
  }

  /// A `void**` with the one parameter.
  private MemorySegment parameters(long address) {
    MemorySegment value = arena.allocateFrom(ValueLayout.JAVA_LONG, address);
    return arena.allocateFrom(ValueLayout.ADDRESS, value);
  }

  private int launch(MemorySegment stream) {
    return CudaDriver.cuLaunchKernel(
        reverse, 1, 1, 1, THREADS, 1, 1, (int) NUM_BYTES, stream, parameters(x), NULL);
  }

  @Test
  void parametersMayBePacked() {
    MemorySegment buffer = arena.allocateFrom(ValueLayout.JAVA_LONG, x);
    MemorySegment size = arena.allocateFrom(ValueLayout.JAVA_LONG, 8);
    MemorySegment extra =
        arena.allocateFrom(ValueLayout.JAVA_LONG, 1, buffer.address(), 2, size.address(), 0);
    int shared = (int) NUM_BYTES;
    ok(CudaDriver.cuLaunchKernel(reverse, 1, 1, 1, THREADS, 1, 1, shared, NULL, NULL, extra));
    assertThat(firstValue()).isEqualTo(THREADS - 1);
    size.set(ValueLayout.JAVA_LONG, 0, 4);
    fails(
        CudaDriver.cuLaunchKernel(reverse, 1, 1, 1, THREADS, 1, 1, shared, NULL, NULL, extra),
        CuResult.CUDA_ERROR_INVALID_VALUE);
    assertThat(StandIn.install().lastFault()).contains("takes 8 bytes of parameters, 4 are given");
  }

  @Test
  void aLaunchMayComeAsAStructure() {
    MemorySegment config = CUlaunchConfig_st.allocate(arena);
    CUlaunchConfig_st.gridDimX(config, 1);
    CUlaunchConfig_st.gridDimY(config, 1);
    CUlaunchConfig_st.gridDimZ(config, 1);
    CUlaunchConfig_st.blockDimX(config, THREADS);
    CUlaunchConfig_st.blockDimY(config, 1);
    CUlaunchConfig_st.blockDimZ(config, 1);
    CUlaunchConfig_st.sharedMemBytes(config, (int) NUM_BYTES);
    ok(CudaDriver.cuLaunchKernelEx(config, reverse, parameters(x), NULL));
    assertThat(firstValue()).isEqualTo(THREADS - 1);
    CUlaunchConfig_st.gridDimZ(config, 65536);
    fails(
        CudaDriver.cuLaunchKernelEx(config, reverse, parameters(x), NULL),
        CuResult.CUDA_ERROR_INVALID_VALUE);
  }

  @Test
  void aNullParameterIsRefused() {
    MemorySegment none = arena.allocate(ValueLayout.ADDRESS);
    fails(
        CudaDriver.cuLaunchKernel(reverse, 1, 1, 1, THREADS, 1, 1, 0, NULL, none, NULL),
        CuResult.CUDA_ERROR_INVALID_VALUE);
    assertThat(StandIn.install().lastFault()).contains("parameter reverse_x");
  }

  @Test
  void aBlockingCopyWaitsForBlockingStreamsAlone() {
    MemorySegment blocking = stream(CudaDriver.CU_STREAM_DEFAULT());
    ok(launch(blocking));
    assertThat(firstValue()).isEqualTo(THREADS - 1);
    MemorySegment other = stream(CudaDriver.CU_STREAM_NON_BLOCKING());
    ok(launch(other));
    assertThat(firstValue()).as("before the other stream has run").isEqualTo(THREADS - 1);
    ok(CudaDriver.cuStreamSynchronize(other));
    assertThat(firstValue()).isZero();
    ok(CudaDriver.cuStreamDestroy_v2(blocking));
    ok(CudaDriver.cuStreamDestroy_v2(other));
    fails(CudaDriver.cuStreamQuery(other), CuResult.CUDA_ERROR_INVALID_HANDLE);
  }

  @Test
  void destroyingAStreamWaitsForNothing() {
    MemorySegment stream = stream(CudaDriver.CU_STREAM_NON_BLOCKING());
    ok(launch(stream));
    ok(CudaDriver.cuStreamDestroy_v2(stream));
    assertThat(firstValue()).as("before anything waited").isZero();
    ok(CudaDriver.cuCtxSynchronize());
    assertThat(firstValue()).isEqualTo(THREADS - 1);
  }

  @Test
  void theLegacyStreamCannotBeUsedWhileABlockingStreamIsCaptured() {
    MemorySegment stream = stream(CudaDriver.CU_STREAM_DEFAULT());
    int relaxed = CudaDriver.CU_STREAM_CAPTURE_MODE_RELAXED();
    ok(CudaDriver.cuStreamBeginCapture_v2(stream, relaxed));
    fails(CudaDriver.cuStreamBeginCapture_v2(stream, relaxed), CuResult.CUDA_ERROR_ILLEGAL_STATE);
    fails(
        CudaDriver.cuMemcpyHtoD_v2(x, host, NUM_BYTES),
        CuResult.CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    fails(
        CudaDriver.cuStreamEndCapture(stream, out), CuResult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    fails(CudaDriver.cuStreamEndCapture(stream, out), CuResult.CUDA_ERROR_ILLEGAL_STATE);
    fails(
        CudaDriver.cuStreamBeginCapture_v2(NULL, relaxed),
        CuResult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    ok(CudaDriver.cuStreamDestroy_v2(stream));
  }

  @Test
  void aCaptureInOneThreadForbidsAllocationInAnotherOnlyIfGlobal() throws InterruptedException {
    MemorySegment stream = stream(CudaDriver.CU_STREAM_NON_BLOCKING());
    ok(CudaDriver.cuCtxGetCurrent(out));
    MemorySegment context = pointer();
    for (int mode :
        new int[] {
          CudaDriver.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL(),
          CudaDriver.CU_STREAM_CAPTURE_MODE_GLOBAL()
        }) {
      ok(CudaDriver.cuStreamBeginCapture_v2(stream, mode));
      int[] results = new int[2];
      Thread other =
          Thread.ofPlatform()
              .start(() -> {
                ok(CudaDriver.cuCtxSetCurrent(context));
                results[0] = CudaDriver.cuCtxSynchronize();
                results[1] = CudaDriver.cuStreamEndCapture(stream, Arena.ofAuto().allocate(8));
              });
      other.join();
      boolean global = mode == CudaDriver.CU_STREAM_CAPTURE_MODE_GLOBAL();
      fails(
          results[0],
          global ? CuResult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CuResult.CUDA_SUCCESS);
      fails(results[1], CuResult.CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
      fails(
          CudaDriver.cuStreamEndCapture(stream, out),
          global ? CuResult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CuResult.CUDA_SUCCESS);
      if (!global) {
        ok(CudaDriver.cuGraphDestroy(pointer()));
      }
    }
    ok(CudaDriver.cuStreamDestroy_v2(stream));
  }

  @Test
  void aGraphCanBeInspected(@TempDir Path folder) throws IOException {
    MemorySegment stream = stream(CudaDriver.CU_STREAM_NON_BLOCKING());
    ok(CudaDriver.cuStreamBeginCapture_v2(stream, CudaDriver.CU_STREAM_CAPTURE_MODE_RELAXED()));
    MemorySegment status = arena.allocate(ValueLayout.JAVA_INT);
    ok(CudaDriver.cuStreamIsCapturing(stream, status));
    assertThat(status.get(ValueLayout.JAVA_INT, 0))
        .isEqualTo(CudaDriver.CU_STREAM_CAPTURE_STATUS_ACTIVE());
    ok(launch(stream));
    ok(CudaDriver.cuMemsetD32Async(x, 7, THREADS, stream));
    ok(CudaDriver.cuStreamEndCapture(stream, out));
    MemorySegment graph = pointer();
    MemorySegment count = arena.allocateFrom(ValueLayout.JAVA_LONG, 2);
    MemorySegment nodes = arena.allocate(ValueLayout.ADDRESS, 2);
    ok(CudaDriver.cuGraphGetNodes(graph, nodes, count));
    MemorySegment type = arena.allocate(ValueLayout.JAVA_INT);
    ok(CudaDriver.cuGraphNodeGetType(nodes.getAtIndex(ValueLayout.ADDRESS, 1), type));
    assertThat(type.get(ValueLayout.JAVA_INT, 0)).isEqualTo(CudaDriver.CU_GRAPH_NODE_TYPE_MEMSET());
    Path dot = folder.resolve("graph.dot");
    ok(CudaDriver.cuGraphDebugDotPrint(graph, arena.allocateFrom(dot.toString()), 0));
    assertThat(Files.readString(dot)).contains("n0 [label=\"kernel reverse\"]", "n0 -> n1");
    ok(CudaDriver.cuGraphDestroy(graph));
    ok(CudaDriver.cuStreamDestroy_v2(stream));
  }

  @Test
  void fillsTakeOneTwoAndFourBytes() {
    ok(CudaDriver.cuMemsetD8_v2(x, (byte) 1, 4));
    assertThat(firstValue()).isEqualTo(0x01010101);
    ok(CudaDriver.cuMemsetD16_v2(x, (short) 0x0203, 2));
    assertThat(firstValue()).isEqualTo(0x02030203);
    ok(CudaDriver.cuMemsetD32_v2(x, 0x04050607, 1));
    assertThat(firstValue()).isEqualTo(0x04050607);
    ok(CudaDriver.cuMemcpyDtoD_v2(x, x + 64, 4));
    assertThat(firstValue()).isEqualTo(16);
    fails(CudaDriver.cuMemsetD32_v2(x + 2, 0, 1), CuResult.CUDA_ERROR_INVALID_VALUE);
    ok(CudaDriver.cuMemsetD8_v2(0, (byte) 0, 0));
    ok(CudaDriver.cuMemcpyHtoD_v2(0, NULL, 0));
  }

  @Test
  void registeredMemoryIsPinned() {
    ok(CudaDriver.cuMemHostRegister_v2(host, NUM_BYTES, 0));
    fails(
        CudaDriver.cuMemHostRegister_v2(host, NUM_BYTES, 0),
        CuResult.CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    MemorySegment stream = stream(CudaDriver.CU_STREAM_NON_BLOCKING());
    ok(CudaDriver.cuMemcpyHtoDAsync_v2(x, host, NUM_BYTES, stream));
    host.set(ValueLayout.JAVA_INT, 0, 99);
    ok(CudaDriver.cuStreamSynchronize(stream));
    ok(CudaDriver.cuMemHostUnregister(host));
    fails(CudaDriver.cuMemHostUnregister(host), CuResult.CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
    assertThat(firstValue()).isEqualTo(99);
    ok(CudaDriver.cuStreamDestroy_v2(stream));
  }

  @Test
  void pinnedMemoryIsFreedOnceAndNotUsedAfterwards() {
    ok(CudaDriver.cuMemHostAlloc(out, NUM_BYTES, 0));
    MemorySegment pinned = pointer();
    ok(CudaDriver.cuMemcpyHtoDAsync_v2(x, pinned, NUM_BYTES, NULL));
    ok(CudaDriver.cuMemFreeHost(pinned));
    fails(CudaDriver.cuMemFreeHost(pinned), CuResult.CUDA_ERROR_INVALID_VALUE);
    fails(
        CudaDriver.cuMemcpyHtoDAsync_v2(x, pinned, NUM_BYTES, NULL),
        CuResult.CUDA_ERROR_INVALID_VALUE);
    assertThat(firstValue()).as("what new pinned memory holds").isEqualTo(-1);
  }

  @Test
  void thePoolKeepsItsThreshold() {
    ok(CudaDriver.cuDeviceGetDefaultMemPool(out, 0));
    MemorySegment pool = pointer();
    int threshold = CudaDriver.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD();
    MemorySegment value = arena.allocateFrom(ValueLayout.JAVA_LONG, 12345);
    ok(CudaDriver.cuMemPoolSetAttribute(pool, threshold, value));
    value.set(ValueLayout.JAVA_LONG, 0, 0);
    ok(CudaDriver.cuMemPoolGetAttribute(pool, threshold, value));
    assertThat(value.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(12345);
    ok(CudaDriver.cuMemPoolTrimTo(pool, 0));
  }

  @Test
  void attributesOfDeviceAndFunctionAreKnown() {
    MemorySegment value = arena.allocate(ValueLayout.JAVA_INT);
    ok(CudaDriver.cuDeviceGetAttribute(value, CudaDriver.CU_DEVICE_ATTRIBUTE_WARP_SIZE(), 0));
    assertThat(value.get(ValueLayout.JAVA_INT, 0)).isEqualTo(32);
    fails(CudaDriver.cuDeviceGetAttribute(value, 9999, 0), CuResult.CUDA_ERROR_INVALID_VALUE);
    int dynamic = CudaDriver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES();
    ok(CudaDriver.cuFuncGetAttribute(value, dynamic, reverse));
    assertThat(value.get(ValueLayout.JAVA_INT, 0)).isEqualTo(48 * 1024);
    ok(CudaDriver.cuOccupancyAvailableDynamicSMemPerBlock(out, reverse, 2, 256));
    assertThat(out.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(48 * 1024);
    ok(CudaDriver.cuDevicePrimaryCtxGetState(0, value, out));
    assertThat(out.get(ValueLayout.JAVA_INT, 0)).isEqualTo(1);
  }
}
