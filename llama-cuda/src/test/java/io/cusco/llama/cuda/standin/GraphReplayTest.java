package io.cusco.llama.cuda.standin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaEvent;
import io.cusco.llama.cuda.driver.CudaException;
import io.cusco.llama.cuda.driver.CudaGraph;
import io.cusco.llama.cuda.driver.CudaGraphExec;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import org.junit.jupiter.api.Test;

/// A captured graph does what the calls would have done, as often as it is launched.
@EmulatedGpu
class GraphReplayTest {
  private static void assertCode(Throwable thrown, CuResult expected) {
    assertThat(thrown)
        .isInstanceOfSatisfying(
            CudaException.class, e -> assertThat(e.code()).isEqualTo(expected.code()));
  }

  @Test
  void replayEqualsTheCallsThemselves(CudaContext context) {
    try (Axpy axpy = new Axpy(context)) {
      axpy.upload();
      try (CudaGraph graph =
              CudaGraph.capture(
                  axpy.stream,
                  () -> {
                    axpy.launch();
                    axpy.launch();
                  });
          CudaGraphExec exec = graph.instantiate()) {
        assertThat(graph.numNodes()).isEqualTo(2);
        exec.launch(axpy.stream);
        exec.launch(axpy.stream);
        axpy.download();
        axpy.stream.synchronize();
        assertThat(axpy.result()).isEqualTo(Axpy.expected(4));
      }
    }
  }

  @Test
  void captureRunsNothing(CudaContext context) {
    try (Axpy axpy = new Axpy(context)) {
      axpy.upload();
      CudaGraph.capture(axpy.stream, axpy::launch).close();
      axpy.download();
      axpy.stream.synchronize();
      assertThat(axpy.result()).isEqualTo(Axpy.expected(0));
    }
  }

  @Test
  void argumentsAreThoseOfTheCaptureUntilAnUpdate(CudaContext context) {
    try (Axpy axpy = new Axpy(context);
        CudaGraph first = CudaGraph.capture(axpy.stream, axpy::launch);
        CudaGraphExec exec = first.instantiate()) {
      axpy.upload();
      axpy.parameters.setFloat(2, 0);
      exec.launch(axpy.stream);
      try (CudaGraph second = CudaGraph.capture(axpy.stream, axpy::launch)) {
        assertThat(exec.update(second)).isTrue();
      }
      exec.launch(axpy.stream);
      axpy.download();
      axpy.stream.synchronize();
      assertThat(axpy.result()).isEqualTo(Axpy.expected(1));
    }
  }

  @Test
  void aGraphOfAnotherShapeIsNoUpdate(CudaContext context) {
    try (Axpy axpy = new Axpy(context);
        CudaGraph one = CudaGraph.capture(axpy.stream, axpy::launch);
        CudaGraphExec exec = one.instantiate();
        CudaGraph other = CudaGraph.capture(axpy.stream, axpy::download)) {
      assertThat(exec.update(other)).isFalse();
    }
  }

  @Test
  void waitingInsideACaptureSpoilsIt(CudaContext context) {
    try (Axpy axpy = new Axpy(context)) {
      assertThatThrownBy(() -> CudaGraph.capture(axpy.stream, axpy.stream::synchronize))
          .satisfies(e -> assertCode(e, CuResult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED));
      assertThatThrownBy(() ->
              CudaGraph.capture(
                  axpy.stream,
                  () -> {
                    try {
                      DeviceBuffer.allocate(context, "too late", 16);
                    } catch (CudaException e) {
                      assertCode(e, CuResult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
                    }
                  }))
          .satisfies(e -> assertCode(e, CuResult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));
      axpy.upload();
      axpy.stream.synchronize();
    }
  }

  @Test
  void aForkHasToBeJoined(CudaContext context) {
    try (Axpy axpy = new Axpy(context);
        CudaStream side = CudaStream.create(context);
        CudaEvent fork = CudaEvent.create(context);
        CudaEvent join = CudaEvent.create(context)) {
      Runnable forked =
          () -> {
            axpy.launch();
            axpy.stream.record(fork);
            side.waitFor(fork);
            axpy.launch(side);
            side.record(join);
          };
      assertThatThrownBy(() -> CudaGraph.capture(axpy.stream, forked))
          .satisfies(e -> assertCode(e, CuResult.CUDA_ERROR_STREAM_CAPTURE_UNJOINED));
      axpy.upload();
      try (CudaGraph graph =
              CudaGraph.capture(
                  axpy.stream,
                  () -> {
                    forked.run();
                    axpy.stream.waitFor(join);
                    axpy.launch();
                  });
          CudaGraphExec exec = graph.instantiate()) {
        assertThat(graph.numNodes()).isEqualTo(3);
        exec.launch(axpy.stream);
        axpy.download();
        axpy.stream.synchronize();
        assertThat(axpy.result()).isEqualTo(Axpy.expected(3));
      }
    }
  }

  @Test
  void anEventOfACaptureNeverHappens(CudaContext context) {
    try (Axpy axpy = new Axpy(context);
        CudaEvent event = CudaEvent.create(context)) {
      CudaGraph.capture(axpy.stream, () -> axpy.stream.record(event)).close();
      assertThatThrownBy(event::synchronize)
          .satisfies(e -> assertCode(e, CuResult.CUDA_ERROR_CAPTURED_EVENT));
    }
  }

  @Test
  void freedMemoryIsFoundAtTheNextReplay(CudaContext context, StandIn standIn) {
    Axpy axpy = new Axpy(context);
    CudaGraphExec exec = CudaGraph.capture(axpy.stream, axpy::download).instantiate();
    axpy.output.close();
    exec.launch(axpy.stream);
    assertThatThrownBy(axpy.stream::synchronize)
        .satisfies(e -> assertCode(e, CuResult.CUDA_ERROR_ILLEGAL_ADDRESS));
    assertThat(standIn.lastFault()).contains("was freed before the stream got to the copy");
  }
}
