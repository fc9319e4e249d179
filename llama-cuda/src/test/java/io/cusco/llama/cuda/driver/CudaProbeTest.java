package io.cusco.llama.cuda.driver;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The ladder up to a cuBLAS handle, against libraries in C that answer what they are told.
class CudaProbeTest {
  private static final String DRIVER =
      """
      #include <string.h>
      typedef unsigned long long address;
      static int init, version, devices, major;
      void fake_answer(int i, int v, int d, int m) { init = i; version = v; devices = d; major = m; }
      int cuInit(unsigned flags) { return init; }
      int cuDriverGetVersion(int *v) { *v = version; return 0; }
      int cuGetErrorName(int e, const char **p) { *p = "CUDA_ERROR_FAKE"; return 0; }
      int cuGetErrorString(int e, const char **p) { *p = "fake text"; return 0; }
      int cuDeviceGetCount(int *n) { *n = devices; return 0; }
      int cuDeviceGet(int *d, int ordinal) { *d = ordinal; return 0; }
      int cuDeviceGetName(char *name, int n, int d) { strncpy(name, "Fake GPU", n); return 0; }
      int cuDeviceGetUuid_v2(char *uuid, int d) { memset(uuid, 0xab, 16); return 0; }
      int cuDeviceTotalMem_v2(size_t *n, int d) { *n = 24000000000; return 0; }
      int cuDeviceGetAttribute(int *v, int a, int d) { *v = a == 75 ? major : a == 76 ? 5 : 1; return 0; }
      int cuDevicePrimaryCtxRetain(void **c, int d) { *c = &init; return 0; }
      int cuDevicePrimaryCtxRelease_v2(int d) { return 0; }
      int cuCtxSetCurrent(void *c) { return 0; }
      int cuCtxSynchronize(void) { return 0; }
      int cuStreamCreate(void **s, unsigned f) { *s = &init; return 0; }
      int cuStreamSynchronize(void *s) { return 0; }
      int cuStreamDestroy_v2(void *s) { return 0; }
      int cuMemAlloc_v2(address *p, size_t n) { *p = 4096; return 0; }
      int cuMemFree_v2(address p) { return 0; }
      int cuModuleLoadDataEx, cuLaunchKernelEx, cuGraphExecUpdate_v2;
      """;

  private static final String CUBLAS =
      """
      int cublasCreate_v2(void **h) { return 1; }
      int cublasGemmEx;
      const char *cublasGetStatusName(int s) { return "CUBLAS_STATUS_NOT_INITIALIZED"; }
      const char *cublasGetStatusString(int s) { return "fake text"; }
      int cublasGetProperty(int what, int *v) { *v = 12 - what; return 0; }
      """;

  @TempDir private Path folder;

  @Test
  void everyStepThatFailsHasItsSentence() throws Exception {
    Path driver = CCompiler.compile(folder, "libcuda.so.1", DRIVER);
    Path none = Files.createDirectories(folder.resolve("none"));
    Path broken = Files.createDirectories(folder.resolve("broken"));
    CCompiler.compile(
        broken,
        "libcublasLt.so.12",
        "int cublasLtCreate, cublasLtMatmul, cublasLtGetStatusString;");
    CCompiler.compile(broken, "libcublas.so.12", CUBLAS);

    List<String> lines =
        probe(
            driver,
            "34,0,0,0,",
            "100,0,0,0,",
            "3,0,0,0,",
            "999,0,0,0,",
            "803,0,0,0,",
            "1,0,0,0,",
            "0,11080,1,8,",
            "0,12040,0,8,",
            "0,12040,1,7,",
            "0,12040,1,8," + none,
            "0,12040,1,8," + broken);

    assertThat(lines).hasSize(11);
    assertThat(lines.get(0)).contains(driver + " is the CUDA toolkit's stub, not a driver");
    assertThat(lines.get(1)).startsWith("the NVIDIA driver sees no GPU: check nvidia-smi");
    assertThat(lines.get(2))
        .startsWith("the NVIDIA driver does not start (cuInit: CUDA_ERROR_FAKE)");
    assertThat(lines.get(3)).isEqualTo(lines.get(2));
    assertThat(lines.get(4)).contains("library and kernel module have different versions");
    assertThat(lines.get(5)).contains("(cuInit: CUDA_ERROR_FAKE, fake text)");
    assertThat(lines.get(6)).startsWith("the NVIDIA driver is for CUDA 11.8, 12.0 or later is");
    assertThat(lines.get(7)).startsWith("the NVIDIA driver shows no GPU");
    assertThat(lines.get(8))
        .startsWith("Fake GPU, 24.0 GB, compute capability 7.5: compute capability 8.0 or later");
    assertThat(lines.get(9))
        .startsWith("cuBLAS was not found")
        .contains("driver library: " + driver, "driver: for CUDA 12.4", "device 0: Fake GPU")
        .contains("tried " + none + ": does not hold cublasLt and cublas");
    assertThat(lines.get(10))
        .startsWith("the GPU or cuBLAS does not start: cublasCreate_v2 failed with")
        .contains("CUBLAS_STATUS_NOT_INITIALIZED (1): fake text; device 0 (Fake GPU)")
        .contains("cuBLAS: " + broken.resolve("libcublas.so.12") + ", version 12.11.10");
  }

  private static List<String> probe(Path driver, String... cases)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED"));
    command.add("-D" + CudaLibraries.DRIVER_PROPERTY + "=" + driver);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(ProbeProgram.class.getName());
    command.addAll(List.of(cases));
    Process program =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String output = new String(program.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(program.waitFor()).as(output).isZero();
    return output.lines().toList();
  }
}
