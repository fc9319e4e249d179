package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.driver.ParameterType.FLOAT;
import static io.cusco.llama.cuda.driver.ParameterType.POINTER;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.CudaException;
import io.cusco.llama.cuda.driver.CudaModule;
import io.cusco.llama.cuda.driver.CudaProbe;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/// What a driver says about a module before any kernel runs.
@EmulatedGpu
class ModuleLoadTest {
  private static Consumer<Throwable> code(CuResult expected) {
    return e -> assertThat(((CudaException) e).code()).isEqualTo(expected.code());
  }

  @Test
  void theErrorLogNamesTheLineOfMalformedText(CudaContext context) {
    String broken = SamplePtx.AXPY.replace("fma.rn.f32", "fma.rn.f77");
    assertThatThrownBy(() -> CudaModule.load(context, "axpy.ptx", broken))
        .satisfies(code(CuResult.CUDA_ERROR_INVALID_PTX))
        .hasMessageContaining("fma.rn.f77")
        .hasMessageContaining("line");
  }

  @Test
  void aVersionThatTheDriverDoesNotKnowIsRefused(StandIn standIn) {
    standIn.reset(StandInSettings.DEFAULT.withDriverVersion(12000), 1);
    assertThat(CudaDriver.cuInit(0)).isZero();
    try (CudaContext context = CudaContext.open(CudaDevice.all().getFirst())) {
      String newer = SamplePtx.AXPY.replace(".version 7.0", ".version 8.1");
      assertThatThrownBy(() -> CudaModule.load(context, "axpy.ptx", newer))
          .satisfies(code(CuResult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION));
      CudaModule.load(context, "axpy.ptx", newer.replace("8.1", "8.0")).close();
    }
  }

  @Test
  void aTargetNewerThanTheDeviceIsRefused(CudaContext context) {
    String newer = SamplePtx.AXPY.replace("sm_80", "sm_90");
    assertThatThrownBy(() -> CudaModule.load(context, "axpy.ptx", newer))
        .satisfies(code(CuResult.CUDA_ERROR_INVALID_PTX))
        .hasMessageContaining("sm_90");
  }

  @Test
  void aCubinIsRefused(CudaContext context) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment elf =
          arena.allocateFrom(ValueLayout.JAVA_BYTE, new byte[] {127, 'E', 'L', 'F'});
      assertThat(CudaDriver.cuModuleLoadData(arena.allocate(8), elf))
          .isEqualTo(CuResult.CUDA_ERROR_INVALID_IMAGE.code());
    }
  }

  @Test
  void aSignatureThatIsNotTheKernelsIsRefused(CudaContext context) {
    try (CudaModule module = CudaModule.load(context, "axpy.ptx", SamplePtx.AXPY)) {
      assertThatThrownBy(() -> module.function("axpy", POINTER, FLOAT))
          .isInstanceOf(LlamaException.class);
      assertThatThrownBy(() -> module.function("saxpy", POINTER))
          .isInstanceOf(LlamaException.class);
    }
  }

  @Test
  void aVariableOfAModuleCanBeReadAndWritten(CudaContext context) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment module = arena.allocate(ValueLayout.ADDRESS);
      MemorySegment text = arena.allocateFrom(SamplePtx.FACTOR);
      assertThat(CudaDriver.cuModuleLoadData(module, text)).isZero();
      MemorySegment handle = module.get(ValueLayout.ADDRESS, 0);
      MemorySegment address = arena.allocate(ValueLayout.JAVA_LONG);
      MemorySegment numBytes = arena.allocate(ValueLayout.JAVA_LONG);
      assertThat(
              CudaDriver.cuModuleGetGlobal_v2(
                  address, numBytes, handle, arena.allocateFrom("factor")))
          .isZero();
      assertThat(numBytes.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(4);
      MemorySegment value = arena.allocate(ValueLayout.JAVA_FLOAT);
      long variable = address.get(ValueLayout.JAVA_LONG, 0);
      assertThat(CudaDriver.cuMemcpyDtoH_v2(value, variable, 4)).isZero();
      assertThat(value.get(ValueLayout.JAVA_FLOAT, 0)).isEqualTo(3f);
      assertThat(CudaDriver.cuMemcpyHtoD_v2(variable, value, 4)).isZero();
      assertThat(
              CudaDriver.cuModuleGetGlobal_v2(
                  address, numBytes, handle, arena.allocateFrom("offset")))
          .isEqualTo(CuResult.CUDA_ERROR_NOT_FOUND.code());
      assertThat(CudaDriver.cuModuleUnload(handle)).isZero();
    }
  }

  @Test
  void theProbeSaysWhatIsMissing(StandIn standIn) {
    standIn.reset(StandInSettings.DEFAULT.withComputeCapability(7, 5), 1);
    assertThat(CudaProbe.run().problem().orElseThrow()).contains("compute capability 8.0");
    standIn.reset(StandInSettings.DEFAULT.withNumDevices(0), 1);
    assertThat(CudaProbe.run().problem().orElseThrow()).contains("no GPU");
    standIn.reset(StandInSettings.DEFAULT.withDriverVersion(11080), 1);
    assertThat(CudaProbe.run().problem().orElseThrow()).contains("CUDA 11.8");
    standIn.reset(StandInSettings.DEFAULT.withInitResult(CuResult.CUDA_ERROR_STUB_LIBRARY), 1);
    assertThat(CudaProbe.run().problem().orElseThrow()).contains("stub");
    standIn.reset(
        StandInSettings.DEFAULT.withInitResult(CuResult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH), 1);
    assertThat(CudaProbe.run().problem().orElseThrow()).contains("different versions");
  }
}
