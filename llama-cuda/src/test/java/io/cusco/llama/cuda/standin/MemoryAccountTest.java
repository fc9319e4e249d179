package io.cusco.llama.cuda.standin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.CudaOutOfMemoryException;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.PinnedBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/// Memory is counted, limited and given back.
@EmulatedGpu
class MemoryAccountTest {
  private static final int INVALID_VALUE = CuResult.CUDA_ERROR_INVALID_VALUE.code();

  private static long allocate(Arena arena, long numBytes) {
    MemorySegment pointer = arena.allocate(ValueLayout.JAVA_LONG);
    assertThat(CudaDriver.cuMemAlloc_v2(pointer, numBytes)).isZero();
    return pointer.get(ValueLayout.JAVA_LONG, 0);
  }

  @Test
  void freeMemoryShrinksAndGrows(CudaContext context) {
    long before = context.freeBytes();
    try (DeviceBuffer _ = DeviceBuffer.allocate(context, "some", 1000)) {
      assertThat(context.freeBytes()).isEqualTo(before - 1000);
    }
    assertThat(context.freeBytes()).isEqualTo(before);
  }

  @Test
  void aDeviceThatIsFullSaysSo(StandIn standIn) {
    standIn.reset(StandInSettings.DEFAULT.withTotalBytes(1 << 20), 1);
    assertThat(CudaDriver.cuInit(0)).isZero();
    try (CudaContext context = CudaContext.open(CudaDevice.all().getFirst());
        DeviceBuffer _ = DeviceBuffer.allocate(context, "most", 1 << 19)) {
      assertThatThrownBy(() -> DeviceBuffer.allocate(context, "KV cache", (1 << 19) + 1))
          .isInstanceOf(CudaOutOfMemoryException.class)
          .hasMessageContaining("KV cache");
    }
  }

  @Test
  void freeingTwiceIsRefused(CudaContext context, StandIn standIn) {
    try (Arena arena = Arena.ofConfined()) {
      long address = allocate(arena, 64);
      assertThat(CudaDriver.cuMemFree_v2(address + 8)).isEqualTo(INVALID_VALUE);
      assertThat(CudaDriver.cuMemFree_v2(address)).isZero();
      assertThat(CudaDriver.cuMemFree_v2(address)).isEqualTo(INVALID_VALUE);
      assertThat(standIn.lastFault()).contains("freed already");
    }
  }

  @Test
  void aCopyToFreedMemoryOrPastAnEndIsRefused(CudaContext context, StandIn standIn) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(128);
      long address = allocate(arena, 64);
      assertThat(CudaDriver.cuMemcpyHtoD_v2(address, host, 65)).isEqualTo(INVALID_VALUE);
      assertThat(standIn.lastFault()).contains("out of bounds");
      assertThat(CudaDriver.cuMemFree_v2(address)).isZero();
      assertThat(CudaDriver.cuMemcpyHtoD_v2(address, host, 64)).isEqualTo(INVALID_VALUE);
      assertThat(standIn.lastFault()).contains("freed");
    }
  }

  @Test
  void freeingWaitsForTheWorkThatUsesTheMemory(CudaContext context) {
    try (Axpy axpy = new Axpy(context)) {
      axpy.upload();
      axpy.launch();
      axpy.download();
      axpy.y.close();
      assertThat(axpy.result()).isEqualTo(Axpy.expected(1));
    }
  }

  @Test
  void streamOrderedMemoryIsFreedWhenTheStreamGetsThere(CudaContext context) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.JAVA_LONG);
      long before = context.freeBytes();
      assertThat(CudaDriver.cuMemAllocAsync(pointer, 64, MemorySegment.NULL)).isZero();
      long address = pointer.get(ValueLayout.JAVA_LONG, 0);
      assertThat(CudaDriver.cuMemFreeAsync(address, MemorySegment.NULL)).isZero();
      assertThat(context.freeBytes()).isEqualTo(before - 64);
      context.synchronize();
      assertThat(context.freeBytes()).isEqualTo(before);
    }
  }

  @Test
  void whatIsNotClosedBeforeItsContextIsALeak(StandIn standIn) {
    assertThat(CudaDriver.cuInit(0)).isZero();
    CudaContext context = CudaContext.open(CudaDevice.all().getFirst());
    assertThat(standIn.leaks()).containsExactly("the primary context is still retained 1 times");
    DeviceBuffer.allocate(context, "forgotten", 100);
    PinnedBuffer.allocate(context, 50);
    CudaStream.create(context);
    context.close();
    assertThat(standIn.leaks())
        .hasSize(3)
        .anyMatch(line -> line.startsWith("100 bytes of device memory"))
        .anyMatch(line -> line.startsWith("50 bytes of pinned host memory"))
        .anyMatch(line -> line.contains("cuStreamDestroy was not called"));
    standIn.reset(StandInSettings.DEFAULT, 1);
  }

  @Test
  void callsNeedACurrentContextAndAnInitialisedDriver(StandIn standIn) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.JAVA_LONG);
      assertThat(CudaDriver.cuMemAlloc_v2(pointer, 4))
          .isEqualTo(CuResult.CUDA_ERROR_NOT_INITIALIZED.code());
      assertThat(CudaDriver.cuInit(0)).isZero();
      assertThat(CudaDriver.cuMemAlloc_v2(pointer, 4))
          .isEqualTo(CuResult.CUDA_ERROR_INVALID_CONTEXT.code());
      assertThat(standIn.lastFault()).contains("has no current context");
    }
  }

  @Test
  void anotherThreadHasNoContextUntilItTakesIt(CudaContext context) throws InterruptedException {
    int[] result = new int[1];
    Thread thread = Thread.ofPlatform().start(() -> result[0] = CudaDriver.cuCtxSynchronize());
    thread.join();
    assertThat(result[0]).isEqualTo(CuResult.CUDA_ERROR_INVALID_CONTEXT.code());
  }
}
