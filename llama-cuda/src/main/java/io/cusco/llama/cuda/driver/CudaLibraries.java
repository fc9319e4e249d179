package io.cusco.llama.cuda.driver;

import io.cusco.llama.cuda.bindings.NativeLibrary;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Finds the CUDA driver and cuBLAS, opens them and binds the generated classes to them: once per
/// JVM, for its life. What does not open is reported, never thrown.
///
/// | system property | meaning |
/// |---|---|
/// | `llama.cuda.driver` | the driver's file; nothing else is tried |
/// | `llama.cublas.dir` | the folder with cublasLt and cublas; nothing else is tried |
///
/// Without them the driver is looked for by its name (the system's own search), then in the folders
/// of WSL, Debian, Red Hat and NixOS; cuBLAS in `CUDA_HOME`, `CUDA_PATH`, the Python packages of
/// `VIRTUAL_ENV` and `CONDA_PREFIX`, `/usr/local/cuda`, then by its name. Thread-safe.
public final class CudaLibraries {
  public static final String DRIVER_PROPERTY = "llama.cuda.driver";
  public static final String CUBLAS_PROPERTY = "llama.cublas.dir";

  /// The first tell a driver from any other library; the last two are the newest of those that are
  /// needed, from CUDA 12.0.
  private static final List<String> DRIVER_SYMBOLS =
      List.of(
          "cuInit",
          "cuDriverGetVersion",
          "cuDeviceGetCount",
          "cuModuleLoadDataEx",
          "cuLaunchKernelEx",
          "cuGraphExecUpdate_v2");

  private static final List<String> CUBLAS_SYMBOLS =
      List.of("cublasCreate_v2", "cublasGemmEx", "cublasGetStatusString");
  private static final List<String> CUBLAS_LT_SYMBOLS =
      List.of("cublasLtCreate", "cublasLtMatmul", "cublasLtGetStatusString");

  /// Newest first: a new GPU is slow with an old cuBLAS.
  private static final List<Integer> CUBLAS_MAJORS = List.of(13, 12);

  // The outcome of the binding, which is for the JVM's life too.
  private static Search boundDriver;
  private static Search boundCublas;

  private CudaLibraries() {}

  /// Something that did not work.
  ///
  /// @param library file, folder or name
  public record Attempt(String library, String reason) {
    @Override
    public String toString() {
      return library + ": " + reason;
    }
  }

  /// @param path what was bound; empty if nothing was found
  /// @param failed what was tried before, in order
  public record Search(Optional<String> path, List<Attempt> failed) {
    public Search {
      failed = List.copyOf(failed);
    }
  }

  /// Finds and binds the driver.
  public static synchronized Search driver() {
    if (boundDriver == null) {
      if (NativeLibrary.DRIVER.symbols().isPresent()) {
        return preset();
      }
      Search search = driver(Host.ofSystem(), CudaLibraries::bindDriver);
      if (search.path().isEmpty()) {
        return search;
      }
      boundDriver = search;
    }
    return boundDriver;
  }

  /// Finds and binds cublasLt and cuBLAS from one folder.
  ///
  /// @param driverVersion as `cuDriverGetVersion` says, 12040 for 12.4: a cuBLAS of a newer major
  ///   version does not work with it
  public static synchronized Search cublas(int driverVersion) {
    if (boundCublas == null) {
      if (NativeLibrary.CUBLAS.symbols().isPresent()) {
        return preset();
      }
      Search search = cublas(Host.ofSystem(), driverVersion / 1000, CudaLibraries::bindCublas);
      if (search.path().isEmpty()) {
        return search;
      }
      boundCublas = search;
    }
    return boundCublas;
  }

  /// A program that embeds this may have bound the library itself.
  private static Search preset() {
    return new Search(Optional.of("set by the program"), List.of());
  }

  private static void bindDriver(List<SymbolLookup> libraries) {
    NativeLibrary.use(NativeLibrary.DRIVER, libraries.getFirst());
  }

  private static void bindCublas(List<SymbolLookup> libraries) {
    NativeLibrary.use(NativeLibrary.CUBLAS_LT, libraries.getFirst());
    NativeLibrary.use(NativeLibrary.CUBLAS, libraries.getLast());
  }

  /// What happens to the libraries that were found.
  interface Binder {
    void bind(List<SymbolLookup> libraries);
  }

  static Search driver(Host host, Binder binder) {
    List<Attempt> failed = new ArrayList<>();
    for (String path : LibraryPaths.driver(host)) {
      Optional<SymbolLookup> library = open(path, DRIVER_SYMBOLS, failed);
      if (library.isPresent()) {
        binder.bind(List.of(library.get()));
        return new Search(Optional.of(path), failed);
      }
    }
    return new Search(Optional.empty(), failed);
  }

  static Search cublas(Host host, int driverMajor, Binder binder) {
    List<Attempt> failed = new ArrayList<>();
    for (String folder : LibraryPaths.cublasFolders(host)) {
      boolean found = false;
      for (int major : CUBLAS_MAJORS) {
        String lt = inFolder(folder, LibraryPaths.cublasFile(host, "cublasLt", major));
        String cublas = inFolder(folder, LibraryPaths.cublasFile(host, "cublas", major));
        if (!isCandidate(lt) || !isCandidate(cublas)) {
          continue;
        }
        found = true;
        if (major > driverMajor) {
          failed.add(
              new Attempt(
                  cublas,
                  "needs a driver for CUDA %d, this one is for CUDA %d"
                      .formatted(major, driverMajor)));
          continue;
        }
        // cublas needs cublasLt, and finds it if it is open already.
        Optional<SymbolLookup> ltLibrary = open(lt, CUBLAS_LT_SYMBOLS, failed);
        if (ltLibrary.isEmpty()) {
          continue;
        }
        Optional<SymbolLookup> library = open(cublas, CUBLAS_SYMBOLS, failed);
        if (library.isPresent()) {
          binder.bind(List.of(ltLibrary.get(), library.get()));
          return new Search(Optional.of(cublas), failed);
        }
      }
      if (!found) {
        failed.add(
            new Attempt(
                folder,
                Files.isDirectory(Path.of(folder))
                    ? "does not hold cublasLt and cublas of version 13 or 12"
                    : "no such folder"));
      }
    }
    return new Search(Optional.empty(), failed);
  }

  private static String inFolder(String folder, String file) {
    return folder.equals(LibraryPaths.SYSTEM) ? file : Path.of(folder).resolve(file).toString();
  }

  /// A bare name is for the system to look up.
  private static boolean isCandidate(String path) {
    Path file = Path.of(path);
    return file.getParent() == null || Files.exists(file);
  }

  private static Optional<SymbolLookup> open(
      String path, List<String> required, List<Attempt> failed) {
    DynamicLibrary.Opening opening = DynamicLibrary.open(path);
    if (opening.symbols().isEmpty()) {
      failed.add(new Attempt(path, opening.reason()));
      return Optional.empty();
    }
    SymbolLookup symbols = opening.symbols().get();
    Optional<String> missing =
        required.stream().filter(name -> symbols.find(name).isEmpty()).findFirst();
    if (missing.isPresent()) {
      failed.add(
          new Attempt(path, "too old or another library: it has no function " + missing.get()));
      return Optional.empty();
    }
    return opening.symbols();
  }
}
