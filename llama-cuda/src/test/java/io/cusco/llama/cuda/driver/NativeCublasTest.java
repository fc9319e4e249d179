package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.cuda.bindings.cublas.Cublas;
import io.cusco.llama.cuda.bindings.cublaslt.CublasLt;
import io.cusco.llama.cuda.bindings.cublaslt.cublasLtMatmulAlgo_t;
import io.cusco.llama.cuda.bindings.cublaslt.cublasLtMatmulHeuristicResult_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// What NVIDIA's cuBLAS and cublasLt do without a GPU, through the bindings. Looks where the
/// program looks; `-Dllama.cublas.dir` names a folder.
@Tag("native")
class NativeCublasTest {
  private static final int NEWEST_DRIVER = 13_000;

  private final Arena arena = Arena.ofAuto();

  @BeforeAll
  static void findCublas() {
    CudaLibraries.Search search = CudaLibraries.cublas(NEWEST_DRIVER);
    assumeTrue(
        search.path().isPresent(),
        () -> "cuBLAS is not here; -Dllama.cublas.dir names its folder; tried " + search.failed());
  }

  @Test
  void bothLibrariesTellTheSameVersion() {
    MemorySegment version = arena.allocate(JAVA_INT);
    assertThat(Cublas.cublasGetVersion_v2(MemorySegment.NULL, version)).isZero();
    int number = version.get(JAVA_INT, 0);
    assertThat(number).isGreaterThanOrEqualTo(120_000);
    assertThat(io.cusco.llama.cuda.driver.CublasLt.version()).isEqualTo(number);
    assertThat(io.cusco.llama.cuda.driver.Cublas.version())
        .isEqualTo("%d.%d.%d".formatted(number / 10_000, number / 100 % 100, number % 100));
    assertThat(CublasLt.cublasLtGetCudartVersion()).isEqualTo(Cublas.cublasGetCudartVersion());
  }

  @Test
  void failuresCarryTheLibrariesNamesAndTexts() {
    assertThatThrownBy(() ->
            Status.checkCublas(
                Cublas.CUBLAS_STATUS_NOT_SUPPORTED(), "cublasGemmEx", "device 0 (X)"))
        .isInstanceOf(CudaException.class)
        .hasMessageStartingWith("cublasGemmEx failed with CUBLAS_STATUS_NOT_SUPPORTED (15): ")
        .hasMessageEndingWith("; device 0 (X)");
    assertThatThrownBy(() ->
            Status.checkCublasLt(CublasLt.CUBLAS_STATUS_INVALID_VALUE(), "cublasLtMatmul", ""))
        .hasMessageStartingWith("cublasLtMatmul failed with CUBLAS_STATUS_INVALID_VALUE (7): ");
  }

  @Test
  void descriptorsKeepWhatTheyAreTold() {
    MemorySegment pointer = arena.allocate(ADDRESS);
    assertThat(
            CublasLt.cublasLtMatmulDescCreate(
                pointer, CublasLt.CUBLAS_COMPUTE_32F(), CublasLt.CUDA_R_32F()))
        .isZero();
    MemorySegment description = pointer.get(ADDRESS, 0);
    MemorySegment value = arena.allocateFrom(JAVA_INT, CublasLt.CUBLAS_OP_T());
    int transposeA = CublasLt.CUBLASLT_MATMUL_DESC_TRANSA();
    assertThat(CublasLt.cublasLtMatmulDescSetAttribute(description, transposeA, value, 4)).isZero();
    value.set(JAVA_INT, 0, -1);
    MemorySegment written = arena.allocate(JAVA_LONG);
    assertThat(CublasLt.cublasLtMatmulDescGetAttribute(description, transposeA, value, 4, written))
        .isZero();
    assertThat(value.get(JAVA_INT, 0)).isEqualTo(CublasLt.CUBLAS_OP_T());
    assertThat(written.get(JAVA_LONG, 0)).isEqualTo(4);
    assertThat(CublasLt.cublasLtMatmulDescDestroy(description)).isZero();

    assertThat(CublasLt.cublasLtMatrixLayoutCreate(pointer, CublasLt.CUDA_R_8F_E4M3(), 64, 32, 64))
        .isZero();
    MemorySegment layout = pointer.get(ADDRESS, 0);
    MemorySegment rows = arena.allocate(JAVA_LONG);
    assertThat(
            CublasLt.cublasLtMatrixLayoutGetAttribute(
                layout, CublasLt.CUBLASLT_MATRIX_LAYOUT_ROWS(), rows, 8, written))
        .isZero();
    assertThat(rows.get(JAVA_LONG, 0)).isEqualTo(64);
    assertThat(CublasLt.cublasLtMatrixLayoutDestroy(layout)).isZero();
  }

  @Test
  void structuresHaveTheLibrarysSizes() {
    assertThat(cublasLtMatmulAlgo_t.layout().byteSize()).isEqualTo(64);
    assertThat(cublasLtMatmulHeuristicResult_t.layout().byteSize()).isEqualTo(96);
  }

  @Test
  void aHandleWithoutADriverIsACodeAndNoCrash() {
    assumeTrue(
        DynamicLibrary.open("libcuda.so.1").symbols().isEmpty(), "this machine has a driver");
    MemorySegment pointer = arena.allocate(ADDRESS);
    assertThat(Cublas.cublasCreate_v2(pointer)).isEqualTo(Cublas.CUBLAS_STATUS_NOT_INITIALIZED());
    assertThat(CublasLt.cublasLtCreate(pointer))
        .isEqualTo(CublasLt.CUBLAS_STATUS_NOT_INITIALIZED());
  }
}
