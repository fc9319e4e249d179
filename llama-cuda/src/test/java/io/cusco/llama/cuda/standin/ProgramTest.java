package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.driver.ParameterType.POINTER;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaEvent;
import io.cusco.llama.cuda.driver.CudaException;
import io.cusco.llama.cuda.driver.CudaModule;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.LaunchShape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/// Whole programs through the driver layer, right ones and such that forget something.
@EmulatedGpu
class ProgramTest {
  @Test
  void copiesLaunchAndReadGiveTheResult(CudaContext context) {
    try (Axpy axpy = new Axpy(context)) {
      axpy.upload();
      axpy.launch();
      axpy.launch();
      axpy.download();
      axpy.stream.synchronize();
      assertThat(axpy.result()).isEqualTo(Axpy.expected(2));
    }
  }

  @Test
  void theProbeClimbsToTheTop() {
    CudaProbe probe = CudaProbe.run();
    assertThat(probe.problem()).isEmpty();
    assertThat(probe.devices().getFirst().name()).isEqualTo("PTX emulator (stand-in, not a GPU)");
    assertThat(probe.devices().getFirst().hasCompute(8, 0)).isTrue();
  }

  @Test
  void aForgottenSynchronizeReadsPoison(CudaContext context) {
    try (Axpy axpy = new Axpy(context)) {
      axpy.upload();
      axpy.launch();
      axpy.download();
      assertThat(axpy.result()).containsOnly(Float.NaN);
      axpy.stream.synchronize();
      assertThat(axpy.result()).isEqualTo(Axpy.expected(1));
    }
  }

  @Test
  void pinnedMemoryThatIsFilledAgainTooEarlyArrivesWrong(CudaContext context) {
    try (Axpy axpy = new Axpy(context)) {
      axpy.upload();
      axpy.input.segment().fill((byte) 0);
      axpy.download();
      axpy.stream.synchronize();
      assertThat(axpy.result()).containsOnly(0f);
    }
  }

  @Test
  void pageableMemoryIsStagedAtTheCallAndReadBackBeforeItReturns(CudaContext context) {
    try (Arena arena = Arena.ofConfined();
        CudaStream stream = CudaStream.create(context);
        DeviceBuffer buffer = DeviceBuffer.allocate(context, "buffer", 16)) {
      MemorySegment pageable = arena.allocate(16).fill((byte) 7);
      buffer.copyFrom(pageable, 0, stream);
      pageable.fill((byte) 0);
      buffer.copyTo(pageable, 0, stream);
      assertThat(pageable.toArray(ValueLayout.JAVA_BYTE)).containsOnly(7);
    }
  }

  @Test
  void aBlockOf1056ThreadsIsRefused(CudaContext context) {
    assertThatThrownBy(() -> LaunchShape.of(1, 1056)).isInstanceOf(IllegalArgumentException.class);
    try (Axpy axpy = new Axpy(context)) {
      // The kernel states 256.
      assertThatThrownBy(() -> axpy.launch(LaunchShape.of(1, 288)))
          .isInstanceOf(CudaException.class)
          .hasMessageContaining("CUDA_ERROR_INVALID_VALUE");
      assertThat(StandIn.install().lastFault())
          .contains("kernel axpy: a block of 288 x 1 x 1 threads, at most 256 are possible");
    }
  }

  @Test
  void argumentsInTheWrongOrderAreAnIllegalAddressWithItsLine(
      CudaContext context, StandIn standIn) {
    Axpy axpy = new Axpy(context);
    axpy.upload();
    axpy.parameters.setPointer(0, Axpy.SIZE);
    axpy.launch();
    assertThatThrownBy(axpy.stream::synchronize)
        .isInstanceOfSatisfying(
            CudaException.class,
            e -> assertThat(e.code()).isEqualTo(CuResult.CUDA_ERROR_ILLEGAL_ADDRESS.code()));
    assertThat(standIn.lastFault()).contains("axpy", "PTX line", "ld.global.f32");
  }

  @Test
  void afterAnIllegalAddressEveryCallFailsUntilTheContextIsGone(CudaContext context) {
    Axpy axpy = new Axpy(context);
    axpy.parameters.setPointer(1, 4);
    axpy.upload();
    axpy.launch();
    assertThatThrownBy(axpy.stream::synchronize).hasMessageContaining("ILLEGAL_ADDRESS");
    assertThatThrownBy(() -> DeviceBuffer.allocate(context, "more", 4))
        .hasMessageContaining("ILLEGAL_ADDRESS");
    assertThatThrownBy(axpy.y::close).hasMessageContaining("ILLEGAL_ADDRESS");
    context.close();
    try (CudaContext fresh = CudaContext.open(context.device());
        Axpy again = new Axpy(fresh)) {
      again.upload();
      again.stream.synchronize();
    }
  }

  @Test
  void dynamicSharedMemoryThatIsTooSmallIsOutOfBounds(CudaContext context, StandIn standIn) {
    CudaModule module = CudaModule.load(context, "reverse.ptx", SamplePtx.REVERSE);
    CudaStream stream = CudaStream.create(context);
    DeviceBuffer x = DeviceBuffer.allocate(context, "x", 512);
    x.fill((byte) 1);
    var reverse = module.function("reverse", POINTER);
    var parameters = reverse.newParameters().setPointer(0, x.address());
    reverse.launch(stream, LaunchShape.of(1, 128).withSharedBytes(512), parameters);
    stream.synchronize();
    reverse.launch(stream, LaunchShape.of(1, 128).withSharedBytes(508), parameters);
    assertThatThrownBy(stream::synchronize).isInstanceOf(CudaException.class);
    assertThat(standIn.lastFault()).contains("reverse", "st.shared.u32");
  }

  @Test
  void sharedMemoryBeyond48KilobytesHasToBeAskedFor(CudaContext context, StandIn standIn) {
    int numBytes = 100 * 1024;
    try (CudaModule module = CudaModule.load(context, "reverse.ptx", SamplePtx.REVERSE);
        CudaStream stream = CudaStream.create(context);
        DeviceBuffer x = DeviceBuffer.allocate(context, "x", 128)) {
      x.fill((byte) 1);
      var reverse = module.function("reverse", POINTER);
      var parameters = reverse.newParameters().setPointer(0, x.address());
      LaunchShape shape = LaunchShape.of(1, 32).withSharedBytes(numBytes);
      assertThatThrownBy(() -> reverse.launch(stream, shape, parameters))
          .hasMessageContaining("INVALID_VALUE");
      assertThat(standIn.lastFault()).contains("cuFuncSetAttribute");
      assertThatThrownBy(() -> reverse.setMaxDynamicSharedBytes(200 * 1024))
          .hasMessageContaining("INVALID_VALUE");
      reverse.setMaxDynamicSharedBytes(numBytes);
      reverse.launch(stream, shape, parameters);
      stream.synchronize();
      assertThat(reverse.maxActiveBlocks(32, numBytes)).isEqualTo(1);
      assertThat(reverse.maxActiveBlocks(512, 0)).isEqualTo(4);
    }
  }

  @Test
  void anotherStreamSeesNothingWithoutAnEvent(CudaContext context, StandIn standIn) {
    Axpy axpy = new Axpy(context);
    CudaStream other = CudaStream.create(context);
    axpy.upload();
    axpy.launch(other);
    assertThatThrownBy(other::synchronize).hasMessageContaining("CUDA_ERROR_LAUNCH_FAILED");
    assertThat(standIn.lastFault()).contains("uninitialised read");
  }

  @Test
  void anEventOrdersTwoStreams(CudaContext context) {
    try (Axpy axpy = new Axpy(context);
        CudaEvent uploaded = CudaEvent.create(context);
        CudaEvent computed = CudaEvent.create(context);
        CudaStream other = CudaStream.create(context)) {
      axpy.upload();
      axpy.stream.record(uploaded);
      other.waitFor(uploaded);
      axpy.launch(other);
      other.record(computed);
      axpy.stream.waitFor(computed);
      axpy.download();
      axpy.stream.synchronize();
      assertThat(axpy.result()).isEqualTo(Axpy.expected(1));
      assertThat(computed.isDone()).isTrue();
    }
  }

  @Test
  void pollingGetsThereInTheEnd(CudaContext context) {
    try (Axpy axpy = new Axpy(context);
        CudaEvent end = CudaEvent.create(context)) {
      axpy.upload();
      axpy.launch();
      axpy.download();
      axpy.stream.record(end);
      int polls = 0;
      while (!end.isDone()) {
        polls++;
      }
      assertThat(polls).isBetween(1, 10);
      assertThat(axpy.result()).isEqualTo(Axpy.expected(1));
      assertThat(axpy.stream.isDone()).isTrue();
    }
  }

  @Test
  void elapsedTimeIsZeroAndOnlyKnownAfterTheEvents(CudaContext context) {
    try (Axpy axpy = new Axpy(context);
        CudaEvent start = CudaEvent.timed(context);
        CudaEvent end = CudaEvent.timed(context)) {
      axpy.stream.record(start);
      axpy.upload();
      axpy.launch();
      axpy.stream.record(end);
      assertThatThrownBy(() -> end.millisecondsSince(start)).hasMessageContaining("NOT_READY");
      end.synchronize();
      assertThat(end.millisecondsSince(start)).isZero();
    }
  }
}
