package io.cusco.llama.cuda.driver;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Tells without a native call that the system's loader knows no library of a name: the common case
/// on a machine without a GPU, where a start should cost nothing.
final class SystemLibraries {
  /// glibc's list of every library in the folders of `/etc/ld.so.conf`.
  private static final Path CACHE = Path.of("/etc/ld.so.cache");

  private SystemLibraries() {}

  /// False also where it cannot be told: Windows, another C library, an unreadable list.
  static boolean lacks(String name) {
    return lacks(name, CACHE, Optional.ofNullable(System.getenv("LD_LIBRARY_PATH")));
  }

  static boolean lacks(String name, Path cache, Optional<String> libraryPath) {
    if (libraryPath.isPresent()) {
      for (String folder : libraryPath.get().split("[:;]", -1)) {
        if (Files.exists(Path.of(folder, name))) {
          return false;
        }
      }
    }
    try {
      // One byte per character, so that the search is one of bytes.
      return !Files.readString(cache, StandardCharsets.ISO_8859_1).contains(name);
    } catch (IOException e) {
      return false;
    }
  }
}
