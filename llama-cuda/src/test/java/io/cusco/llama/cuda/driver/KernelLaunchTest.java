package io.cusco.llama.cuda.driver;

import static io.cusco.llama.cuda.driver.ParameterType.FLOAT;
import static io.cusco.llama.cuda.driver.ParameterType.INT;
import static io.cusco.llama.cuda.driver.ParameterType.POINTER;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/// Modules, launches and graphs, with one small kernel: `y[i] = a * x[i] + y[i]`.
abstract class KernelLaunchTest {
  private static final int N = 300;

  private static final String PTX =
      """
      .version 7.0
      .target sm_80
      .address_size 64

      .visible .entry axpy(
        .param .u64 axpy_param_0,
        .param .u64 axpy_param_1,
        .param .f32 axpy_param_2,
        .param .u32 axpy_param_3
      )
      {
        .reg .pred %p<2>;
        .reg .f32 %f<5>;
        .reg .b32 %r<6>;
        .reg .b64 %rd<8>;
        ld.param.u64 %rd1, [axpy_param_0];
        ld.param.u64 %rd2, [axpy_param_1];
        ld.param.f32 %f1, [axpy_param_2];
        ld.param.u32 %r2, [axpy_param_3];
        mov.u32 %r3, %ctaid.x;
        mov.u32 %r4, %ntid.x;
        mov.u32 %r5, %tid.x;
        mad.lo.s32 %r1, %r3, %r4, %r5;
        setp.ge.s32 %p1, %r1, %r2;
        @%p1 bra $L__BB0_2;
        cvta.to.global.u64 %rd3, %rd1;
        mul.wide.s32 %rd4, %r1, 4;
        add.s64 %rd5, %rd3, %rd4;
        cvta.to.global.u64 %rd6, %rd2;
        add.s64 %rd7, %rd6, %rd4;
        ld.global.f32 %f2, [%rd5];
        ld.global.f32 %f3, [%rd7];
        fma.rn.f32 %f4, %f2, %f1, %f3;
        st.global.f32 [%rd7], %f4;
      $L__BB0_2:
        ret;
      }
      """;

  private static final LaunchShape SHAPE = LaunchShape.of(3, 128);

  private static CudaModule module(CudaContext context) {
    return CudaModule.load(context, "axpy.ptx", PTX);
  }

  private static CudaFunction axpy(CudaModule module) {
    return module.function("axpy", POINTER, POINTER, FLOAT, INT);
  }

  private static DeviceBuffer filled(CudaContext context, float value) {
    DeviceBuffer buffer = DeviceBuffer.allocate(context, "vector", 4L * N);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(JAVA_FLOAT, N);
      for (int i = 0; i < N; i++) {
        host.setAtIndex(JAVA_FLOAT, i, value);
      }
      buffer.copyFrom(host, 0);
    }
    return buffer;
  }

  private static float[] read(DeviceBuffer buffer) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(JAVA_FLOAT, N);
      buffer.copyTo(host, 0);
      return host.toArray(JAVA_FLOAT);
    }
  }

  private static LaunchParameters parameters(
      CudaFunction axpy, DeviceBuffer x, DeviceBuffer y, float a) {
    return axpy.newParameters()
        .setPointer(0, x.address())
        .setPointer(1, y.address())
        .setFloat(2, a)
        .setInt(3, N);
  }

  @Test
  void aKernelGetsItsArgumentsAndTheyMayChangeAtOnce(CudaContext context) {
    try (CudaStream stream = CudaStream.create(context);
        CudaModule module = module(context);
        DeviceBuffer x = filled(context, 2);
        DeviceBuffer y = filled(context, 1)) {
      CudaFunction axpy = axpy(module);
      LaunchParameters parameters = parameters(axpy, x, y, 10);
      axpy.launch(stream, SHAPE, parameters);
      axpy.launch(stream, SHAPE, parameters.setFloat(2, 100));
      assertThat(read(y)).containsOnly(221f);
      assertThat(axpy.numRegisters()).isPositive();
      assertThat(axpy.maxActiveBlocks(128, 0)).isPositive();
    }
  }

  @Test
  void aCapturedGraphRunsWhenLaunchedAndTakesNewArguments(CudaContext context) {
    try (CudaStream stream = CudaStream.create(context);
        CudaModule module = module(context);
        DeviceBuffer x = filled(context, 1);
        DeviceBuffer y = filled(context, 0)) {
      CudaFunction axpy = axpy(module);
      LaunchParameters parameters = parameters(axpy, x, y, 3);
      Runnable step =
          () -> {
            axpy.launch(stream, SHAPE, parameters);
            axpy.launch(stream, SHAPE, parameters);
          };
      CudaGraphExec exec;
      try (CudaGraph graph = CudaGraph.capture(stream, step)) {
        assertThat(graph.numNodes()).isEqualTo(2);
        exec = graph.instantiate();
      }
      assertThat(read(y)).containsOnly(0f);
      exec.upload(stream);
      exec.launch(stream);
      exec.launch(stream);
      assertThat(read(y)).containsOnly(12f);

      parameters.setFloat(2, 0.5f);
      try (CudaGraph graph = CudaGraph.capture(stream, step)) {
        assertThat(exec.update(graph)).isTrue();
      }
      exec.launch(stream);
      assertThat(read(y)).containsOnly(13f);

      try (CudaGraph other =
          CudaGraph.capture(stream, () -> axpy.launch(stream, SHAPE, parameters))) {
        assertThat(exec.update(other)).isFalse();
      }
      exec.close();
      exec.close();
      assertThatThrownBy(() -> exec.launch(stream))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageStartingWith("graph of device 0");
    }
  }

  @Test
  void whatThrowsWhileCapturedIsPassedOnAndTheStreamLives(CudaContext context) {
    try (CudaStream stream = CudaStream.create(context)) {
      assertThatThrownBy(() ->
              CudaGraph.capture(
                  stream,
                  () -> {
                    throw new IllegalStateException("in the middle");
                  }))
          .hasMessage("in the middle");
      stream.synchronize();
    }
  }

  @Test
  void aModuleThatDoesNotTranslateShowsTheLog(CudaContext context) {
    String broken = PTX.replace("fma.rn.f32", "fma.no.such.form");
    assertThatThrownBy(() -> CudaModule.load(context, "broken.ptx", broken))
        .isInstanceOf(CudaException.class)
        .hasMessageContaining("cuModuleLoadDataEx failed with CUDA_ERROR_INVALID_PTX (218)")
        .hasMessageContaining("module broken.ptx:\n");
  }

  @Test
  void kernelAndParametersHaveToBeTheModules(CudaContext context) {
    CudaModule module = module(context);
    try (module) {
      assertThatThrownBy(() -> module.function("apxy"))
          .isInstanceOf(LlamaException.class)
          .hasMessage("module axpy.ptx has no kernel apxy; it has [axpy]");
      assertThatThrownBy(() -> module.function("axpy", POINTER, POINTER, INT, FLOAT))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("kernel axpy takes (.u64, .u64, .f32, .u32)");
    }
    assertThatThrownBy(() -> axpy(module))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageStartingWith("module axpy.ptx of device 0");
  }

  @Test
  void aLaunchThatCannotBeNamesKernelAndShape(CudaContext context) {
    try (CudaStream stream = CudaStream.create(context);
        CudaModule module = module(context);
        DeviceBuffer x = filled(context, 1)) {
      CudaFunction axpy = axpy(module);
      LaunchParameters parameters = parameters(axpy, x, x, 1);
      assertThatThrownBy(() -> axpy.launch(stream, SHAPE.withSharedBytes(1 << 20), parameters))
          .isInstanceOf(CudaException.class)
          .hasMessageContaining("cuLaunchKernel failed with CUDA_ERROR_INVALID_VALUE (1)")
          .hasMessageContaining("kernel axpy")
          .hasMessageContaining("sharedBytes=1048576");
    }
    assertThatThrownBy(() -> LaunchShape.of(1, 1025)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> LaunchShape.of(0, 1)).isInstanceOf(IllegalArgumentException.class);
  }
}
