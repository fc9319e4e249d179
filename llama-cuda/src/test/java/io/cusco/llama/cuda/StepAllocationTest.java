package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.driver.CCompiler;
import io.cusco.llama.cuda.driver.CudaLibraries;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A step leaves nothing for the garbage collector: counted in a JVM of its own, over the shipped
/// bindings, with a driver in C that does nothing, because a stand-in in Java would be counted too.
class StepAllocationTest {
  private static final String DRIVER =
      """
      #include <stdlib.h>
      #include <string.h>
      typedef unsigned long long address;
      static address next = 1 << 20;
      static int thing;
      #define NOTHING(name) int name(void) { return 0; }
      #define HANDLE(name) int name(void **handle) { *handle = &thing; return 0; }
      NOTHING(cuInit)
      int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
      int cuDeviceGetCount(int *count) { *count = 1; return 0; }
      int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
      int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "none", size); return 0; }
      int cuDeviceGetUuid_v2(char *uuid, int device) { memset(uuid, 1, 16); return 0; }
      int cuDeviceTotalMem_v2(size_t *size, int device) { *size = 24000000000; return 0; }
      int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = 9; return 0; }
      HANDLE(cuDevicePrimaryCtxRetain)
      NOTHING(cuDevicePrimaryCtxRelease_v2)
      NOTHING(cuCtxSetCurrent)
      NOTHING(cuCtxSynchronize)
      HANDLE(cuStreamCreate)
      NOTHING(cuStreamDestroy_v2)
      NOTHING(cuStreamSynchronize)
      NOTHING(cuStreamBeginCapture_v2)
      int cuStreamEndCapture(void *stream, void **graph) { *graph = &thing; return 0; }
      HANDLE(cuGraphInstantiateWithFlags)
      NOTHING(cuGraphLaunch)
      NOTHING(cuGraphExecDestroy)
      NOTHING(cuGraphDestroy)
      HANDLE(cuEventCreate)
      NOTHING(cuEventDestroy_v2)
      NOTHING(cuEventRecord)
      NOTHING(cuEventSynchronize)
      int cuMemGetInfo_v2(size_t *free, size_t *total) { *free = *total = 24000000000; return 0; }
      int cuMemAlloc_v2(address *p, size_t size) { *p = next; next += (size + 511) & -512; return 0; }
      NOTHING(cuMemFree_v2)
      int cuMemHostAlloc(void **p, size_t size) { *p = calloc(size, 1); return 0; }
      int cuMemFreeHost(void *p) { free(p); return 0; }
      NOTHING(cuMemcpyHtoD_v2)
      NOTHING(cuMemcpyHtoDAsync_v2)
      NOTHING(cuMemcpyDtoHAsync_v2)
      NOTHING(cuMemsetD8Async)
      HANDLE(cuModuleLoadDataEx)
      HANDLE(cuModuleGetFunction)
      NOTHING(cuModuleUnload)
      NOTHING(cuFuncSetAttribute)
      NOTHING(cuLaunchKernel)
      int cuLaunchKernelEx, cuGraphExecUpdate_v2;
      """;

  private static final String CUBLAS_LT =
      """
      static int thing;
      int cublasLtCreate(void **handle) { *handle = &thing; return 0; }
      int cublasLtDestroy(void *handle) { return 0; }
      int cublasLtMatmulDescCreate(void **d, int compute, int scale) { *d = &thing; return 0; }
      int cublasLtMatmulDescDestroy(void *d) { return 0; }
      int cublasLtMatmulDescSetAttribute(void *d, int what, void *value, unsigned long size) { return 0; }
      int cublasLtMatrixLayoutCreate(void **l, int type, unsigned long rows, unsigned long columns, long stride)
      { *l = &thing; return 0; }
      int cublasLtMatrixLayoutDestroy(void *l) { return 0; }
      int cublasLtMatrixLayoutSetAttribute(void *l, int what, void *value, unsigned long size) { return 0; }
      int cublasLtMatmulPreferenceCreate(void **p) { *p = &thing; return 0; }
      int cublasLtMatmulPreferenceDestroy(void *p) { return 0; }
      int cublasLtMatmulPreferenceSetAttribute(void *p, int what, void *value, unsigned long size) { return 0; }
      int cublasLtMatmulAlgoGetHeuristic(void *h, void *d, void *a, void *b, void *c, void *e, void *p, int wanted,
                                         void *results, int *count) { *count = 1; return 0; }
      int cublasLtMatmulAlgoCheck(void) { return 0; }
      int cublasLtMatmul(void) { return 0; }
      int cublasLtGetStatusString;
      """;

  private static final String CUBLAS =
      """
      static int thing;
      int cublasCreate_v2(void **handle) { *handle = &thing; return 0; }
      int cublasDestroy_v2(void *handle) { return 0; }
      int cublasGetProperty(int what, int *value) { *value = 12 - what; return 0; }
      int cublasSetMathMode(void *handle, int mode) { return 0; }
      int cublasSetStream_v2(void *handle, void *stream) { return 0; }
      int cublasSetWorkspace_v2(void *handle, void *workspace, unsigned long size) { return 0; }
      int cublasGemmEx(void) { return 0; }
      int cublasGetStatusString;
      """;

  @TempDir private Path folder;

  @Test
  void aStepAllocatesNothing() throws Exception {
    Path driver = CCompiler.compile(folder, "libcuda.so.1", DRIVER);
    CCompiler.compile(folder, "libcublasLt.so.12", CUBLAS_LT);
    CCompiler.compile(folder, "libcublas.so.12", CUBLAS);
    Process program =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED",
                "-D" + CudaLibraries.DRIVER_PROPERTY + "=" + driver,
                "-D" + CudaLibraries.CUBLAS_PROPERTY + "=" + folder,
                "-Dllama.verbose=" + Boolean.getBoolean("llama.verbose"),
                "-cp",
                System.getProperty("java.class.path"),
                AllocationProgram.class.getName())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String output = new String(program.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(program.waitFor()).as(output).isZero();
    List<String> lines = output.lines().toList();
    assertThat(lines).hasSize(6);
    for (String line : lines) {
      String[] words = line.split(" ", -1);
      // Less than a byte: some round may see the compiler install code.
      assertThat(Long.parseLong(words[1])).as(line).isLessThan(Long.parseLong(words[2]));
    }
  }
}
