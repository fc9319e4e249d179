package io.cusco.llama.cuda.driver;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SystemLibrariesTest {
  @TempDir private Path folder;

  @Test
  void aNameInTheCacheOrOnThePathIsNotLacking() throws IOException {
    // The real file is binary around its names.
    Path cache =
        Files.write(
            folder.resolve("cache"),
            "\0\u00ff libcuda.so.1\0x".getBytes(StandardCharsets.ISO_8859_1));
    assertThat(SystemLibraries.lacks("libcuda.so.1", cache, Optional.empty())).isFalse();
    assertThat(SystemLibraries.lacks("libcublas.so.13", cache, Optional.empty())).isTrue();

    Path libraries = Files.createDirectory(folder.resolve("libraries"));
    Optional<String> path = Optional.of("/nowhere:" + libraries);
    assertThat(SystemLibraries.lacks("libcublas.so.13", cache, path)).isTrue();
    Files.createFile(libraries.resolve("libcublas.so.13"));
    assertThat(SystemLibraries.lacks("libcublas.so.13", cache, path)).isFalse();
  }

  @Test
  void whereThereIsNoCacheNothingIsSaidToBeLacking() {
    assertThat(SystemLibraries.lacks("any.so", folder.resolve("none"), Optional.empty())).isFalse();
  }
}
