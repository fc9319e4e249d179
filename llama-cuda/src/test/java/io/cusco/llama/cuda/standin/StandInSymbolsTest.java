package io.cusco.llama.cuda.standin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cuda.bindings.NativeLibrary;
import io.cusco.llama.cuda.bindings.cublas.Cublas;
import io.cusco.llama.cuda.bindings.cublaslt.CublasLt;
import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// The stand-in has the functions of the bindings, with their signatures and their codes.
@EmulatedGpu
class StandInSymbolsTest {
  private static List<String> missing(NativeLibrary library, Class<?> bindings) {
    List<String> missing = new ArrayList<>();
    for (Method method : bindings.getDeclaredMethods()) {
      String name = method.getName();
      if (name.endsWith("$handle")) {
        String function = name.substring(0, name.indexOf('$'));
        // Links it too, which compares the signatures.
        if (library.symbols().orElseThrow().find(function).isEmpty()) {
          missing.add(function);
        }
      }
    }
    return missing;
  }

  @Test
  void everyFunctionIsThereButMappedHostMemoryAndTheTuningOfAlgorithms() {
    StandIn.install();
    assertThat(missing(NativeLibrary.DRIVER, CudaDriver.class))
        .containsExactly("cuMemHostGetDevicePointer_v2");
    assertThat(missing(NativeLibrary.CUBLAS, Cublas.class)).isEmpty();
    assertThat(missing(NativeLibrary.CUBLAS_LT, CublasLt.class))
        .containsExactlyInAnyOrder(
            "cublasLtMatmulAlgoGetIds",
            "cublasLtMatmulAlgoInit",
            "cublasLtMatmulAlgoCapGetAttribute",
            "cublasLtMatmulAlgoConfigSetAttribute",
            "cublasLtMatmulAlgoConfigGetAttribute");
  }

  @Test
  void aMissingFunctionThrowsWhenItIsCalled() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment any = arena.allocate(64);
      assertThatThrownBy(() -> CublasLt.cublasLtMatmulAlgoConfigSetAttribute(any, 0, any, 4))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("cublasLtMatmulAlgoConfigSetAttribute");
    }
  }

  @Test
  void theCodesAreThoseOfTheHeaders() throws ReflectiveOperationException {
    int compared = 0;
    for (CuResult result : CuResult.values()) {
      compared += compare(CudaDriver.class, result);
    }
    for (CublasStatus status : CublasStatus.values()) {
      compared += compare(Cublas.class, status);
    }
    assertThat(compared).isGreaterThan(40);
  }

  private static int compare(Class<?> bindings, Status status) throws ReflectiveOperationException {
    for (Method method : bindings.getDeclaredMethods()) {
      if (method.getName().equals(status.name())) {
        assertThat(method.invoke(null)).as(status.name()).isEqualTo(status.code());
        return 1;
      }
    }
    return 0;
  }

  @Test
  void errorsHaveNamesAndTexts(StandIn standIn) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(8);
      assertThat(CudaDriver.cuGetErrorName(700, pointer)).isZero();
      assertThat(HostMemory.getString(text(pointer), "name"))
          .isEqualTo("CUDA_ERROR_ILLEGAL_ADDRESS");
      assertThat(CudaDriver.cuGetErrorString(700, pointer)).isZero();
      assertThat(HostMemory.getString(text(pointer), "text")).contains("illegal memory access");
      assertThat(CudaDriver.cuGetErrorName(12345, pointer)).isEqualTo(1);
      assertThat(HostMemory.getString(Cublas.cublasGetStatusName(15), "name"))
          .isEqualTo("CUBLAS_STATUS_NOT_SUPPORTED");
      assertThat(standIn.lastFault()).contains("12345");
    }
  }

  private static MemorySegment text(MemorySegment pointer) {
    return MemorySegment.ofAddress(HostMemory.getLong(pointer, "pointer"));
  }

  @Test
  void aDestroyedHandleIsKnownForWhatItWas(StandIn standIn) {
    Handles handles = new Handles();
    MemorySegment handle = handles.register(new SimulatedStream("stream 7", true));
    handles.remove(handle, SimulatedStream.class);
    assertThatThrownBy(() -> handles.get(handle, SimulatedStream.class))
        .hasMessageContaining("it was stream 7, which has been destroyed");
    assertThatThrownBy(() -> handles.get(MemorySegment.NULL, SimulatedEvent.class))
        .hasMessageContaining("it is NULL");
  }
}
