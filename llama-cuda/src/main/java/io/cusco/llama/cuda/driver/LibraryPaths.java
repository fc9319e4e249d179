package io.cusco.llama.cuda.driver;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Where the driver and cuBLAS may be, in order. Names only; nothing is opened here.
final class LibraryPaths {
  /// The bare name: the system's own search, `LD_LIBRARY_PATH` included.
  static final String SYSTEM = "";

  private LibraryPaths() {}

  /// Files and bare names of the driver. Always with the version in the name, so that the toolkit's
  /// stub `libcuda.so` is never taken.
  static List<String> driver(Host host) {
    Optional<String> chosen = host.property(CudaLibraries.DRIVER_PROPERTY);
    if (chosen.isPresent()) {
      return List.of(chosen.get());
    }
    if (host.windows()) {
      String system = host.variable("SystemRoot").orElse("C:\\Windows") + "\\System32\\";
      return List.of("nvcuda.dll", system + "nvcuda.dll");
    }
    return List.of(
        "libcuda.so.1",
        "/usr/lib/wsl/lib/libcuda.so.1",
        "/usr/lib/%s-linux-gnu/libcuda.so.1".formatted(host.arch()),
        "/usr/lib64/libcuda.so.1",
        // NixOS
        "/run/opengl-driver/lib/libcuda.so.1");
  }

  /// Folders of cuBLAS; the last is [#SYSTEM].
  static List<String> cublasFolders(Host host) {
    Optional<String> chosen = host.property(CudaLibraries.CUBLAS_PROPERTY);
    if (chosen.isPresent()) {
      return List.of(chosen.get());
    }
    Set<String> folders = new LinkedHashSet<>();
    for (String variable : List.of("CUDA_HOME", "CUDA_PATH")) {
      host.variable(variable).ifPresent(home -> addToolkit(host, home, folders));
    }
    // Python's wheels: nvidia-cublas for CUDA 13, nvidia-cublas-cu12 for 12.
    for (String variable : List.of("VIRTUAL_ENV", "CONDA_PREFIX")) {
      host.variable(variable).ifPresent(home -> addEnvironment(host, home, folders));
    }
    if (!host.windows()) {
      addToolkit(host, "/usr/local/cuda", folders);
    }
    folders.add(SYSTEM);
    return List.copyOf(folders);
  }

  private static void addToolkit(Host host, String home, Set<String> folders) {
    if (host.windows()) {
      folders.add(home + "\\bin\\x64");
      folders.add(home + "\\bin");
    } else {
      folders.add(home + "/lib64");
      folders.add(home + "/lib");
    }
  }

  private static void addEnvironment(Host host, String home, Set<String> folders) {
    if (host.windows()) {
      folders.add(home + "\\Lib\\site-packages\\nvidia\\cu13\\bin\\x86_64");
      folders.add(home + "\\Lib\\site-packages\\nvidia\\cublas\\bin");
      folders.add(home + "\\Library\\bin");
      return;
    }
    for (Path packages : sitePackages(Path.of(home))) {
      folders.add(packages.resolve("nvidia/cu13/lib").toString());
      folders.add(packages.resolve("nvidia/cublas/lib").toString());
    }
    folders.add(home + "/lib");
  }

  private static List<Path> sitePackages(Path home) {
    List<Path> found = new ArrayList<>();
    try (DirectoryStream<Path> pythons =
        Files.newDirectoryStream(home.resolve("lib"), "python3*")) {
      for (Path python : pythons) {
        found.add(python.resolve("site-packages"));
      }
    } catch (IOException e) {
      // No such folder: no packages.
      return List.of();
    }
    found.sort(null);
    return found;
  }

  /// "libcublas.so.13", "cublas64_13.dll".
  static String cublasFile(Host host, String library, int major) {
    return host.windows()
        ? "%s64_%d.dll".formatted(library, major)
        : "lib%s.so.%d".formatted(library, major);
  }
}
