package io.cusco.llama.cuda.driver;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.driver.CudaLibraries.Search;
import java.io.IOException;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class CudaLibrariesTest {
  @TempDir private Path folder;

  private final List<List<SymbolLookup>> bound = new ArrayList<>();

  private static Host host(boolean windows, Map<String, String> env, Map<String, String> props) {
    return new Host(windows, "x86_64", env::get, props::get);
  }

  private Search driverAt(Path file) {
    Host host = host(false, Map.of(), Map.of(CudaLibraries.DRIVER_PROPERTY, file.toString()));
    return CudaLibraries.driver(host, bound::add);
  }

  private Search cublasIn(Path home, int driverMajor) {
    Host host = host(false, Map.of(), Map.of(CudaLibraries.CUBLAS_PROPERTY, home.toString()));
    return CudaLibraries.cublas(host, driverMajor, bound::add);
  }

  private void assertRefused(Search search, Path file, String reason) {
    assertThat(search.path()).isEmpty();
    assertThat(bound).isEmpty();
    assertThat(search.failed()).hasSize(1);
    assertThat(search.failed().getFirst().library()).isEqualTo(file.toString());
    assertThat(search.failed().getFirst().reason()).contains(reason);
  }

  @Test
  void theDriverIsLookedForByNameFirstAndNeverTheStub() {
    assertThat(LibraryPaths.driver(host(false, Map.of(), Map.of())))
        .startsWith("libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1")
        .contains("/usr/lib/x86_64-linux-gnu/libcuda.so.1", "/usr/lib64/libcuda.so.1")
        .allMatch(path -> path.endsWith("libcuda.so.1"));
  }

  @Test
  void windowsHasNamesOfItsOwn() {
    Host host =
        host(true, Map.of("SystemRoot", "D:\\Win", "CUDA_PATH", "C:\\CUDA\\v13.0"), Map.of());
    assertThat(LibraryPaths.driver(host))
        .containsExactly("nvcuda.dll", "D:\\Win\\System32\\nvcuda.dll");
    assertThat(LibraryPaths.cublasFolders(host))
        .containsExactly("C:\\CUDA\\v13.0\\bin\\x64", "C:\\CUDA\\v13.0\\bin", LibraryPaths.SYSTEM);
    assertThat(LibraryPaths.cublasFile(host, "cublasLt", 13)).isEqualTo("cublasLt64_13.dll");
  }

  @Test
  void anExplicitChoiceIsTheOnlyOneTried() {
    Host host =
        host(
            false,
            Map.of("CUDA_HOME", "/opt/cuda"),
            Map.of(
                CudaLibraries.DRIVER_PROPERTY, "/a/libcuda.so",
                CudaLibraries.CUBLAS_PROPERTY, "/b"));
    assertThat(LibraryPaths.driver(host)).containsExactly("/a/libcuda.so");
    assertThat(LibraryPaths.cublasFolders(host)).containsExactly("/b");
  }

  @Test
  void cublasIsLookedForInToolkitThenPythonPackagesThenByName() throws IOException {
    Path packages = Files.createDirectories(folder.resolve("lib/python3.12/site-packages"));
    Host host =
        host(false, Map.of("CUDA_HOME", "/opt/cuda", "VIRTUAL_ENV", folder.toString()), Map.of());
    assertThat(LibraryPaths.cublasFolders(host))
        .containsExactly(
            "/opt/cuda/lib64",
            "/opt/cuda/lib",
            packages + "/nvidia/cu13/lib",
            packages + "/nvidia/cublas/lib",
            folder + "/lib",
            "/usr/local/cuda/lib64",
            "/usr/local/cuda/lib",
            LibraryPaths.SYSTEM);
  }

  @Test
  void aFileThatIsNotThereIsSaid() {
    Path file = folder.resolve("libcuda.so.1");
    assertRefused(driverAt(file), file, "no such file");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aTextFileIsRefusedWithTheLoadersReason() throws IOException {
    Path file = Files.writeString(folder.resolve("libcuda.so.1"), "no library\n".repeat(200));
    assertRefused(driverAt(file), file, "invalid ELF header");
  }

  /// The loader would end the JVM.
  @Test
  void aLibraryThatIsCutOffIsRefusedBeforeItIsLoaded() throws Exception {
    byte[] whole =
        Files.readAllBytes(CCompiler.compile(folder, "libwhole.so.1", "int f(void) { return 1; }"));
    Path file = folder.resolve("libcut.so.1");
    Files.write(file, Arrays.copyOf(whole, whole.length / 2));
    assertRefused(driverAt(file), file, "cut off: it has " + whole.length / 2);
  }

  @Test
  void anotherLibraryIsRefusedWithWhatItLacks() throws Exception {
    Path file =
        CCompiler.compile(folder, "libother.so.1", "int cuInit(unsigned flags) { return 0; }");
    assertRefused(driverAt(file), file, "it has no function cuDriverGetVersion");
  }

  @Test
  void cublasIsTakenWhereBothLibrariesAre() throws Exception {
    Path home = Files.createDirectories(folder.resolve("cuda"));
    CCompiler.compile(
        home, "libcublasLt.so.12", "int cublasLtCreate, cublasLtMatmul, cublasLtGetStatusString;");
    assertRefused(cublasIn(home, 13), home, "does not hold cublasLt and cublas");

    CCompiler.compile(
        home, "libcublas.so.12", "int cublasCreate_v2, cublasGemmEx, cublasGetStatusString;");
    Search search = cublasIn(home, 13);
    assertThat(search.path()).contains(home.resolve("libcublas.so.12").toString());
    assertThat(bound).hasSize(1);
    assertThat(bound.getFirst().getFirst().find("cublasLtMatmul")).isPresent();
    assertThat(bound.getFirst().getLast().find("cublasGemmEx")).isPresent();
  }

  @Test
  void aCublasNewerThanTheDriverIsPassedOver() throws IOException {
    for (String name : List.of("libcublasLt.so.13", "libcublas.so.13")) {
      Files.writeString(folder.resolve(name), "not opened");
    }
    assertRefused(
        cublasIn(folder, 12),
        folder.resolve("libcublas.so.13"),
        "needs a driver for CUDA 13, this one is for CUDA 12");
  }
}
