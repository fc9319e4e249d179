package io.cusco.llama.cli.demo;

import io.cusco.llama.LlamaException;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.checkpoint.GgufCheckpoint;
import io.cusco.llama.memory.NativeMemory;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;

/// The small story model inside this jar: what the program runs without `-m`, and a real model for
/// other libraries' tests.
///
/// ```java
/// try (Llama llama = Llama.open(DemoModel.open(), LlamaOptions.DEFAULT)) {
///   System.out.println(llama.generate("Once upon a time"));
/// }
/// ```
public final class DemoModel {
  /// The name of its GGUF file.
  public static final String NAME = "cusco-demo-stories.gguf";

  private DemoModel() {}

  /// Opens it from an off-heap copy, so that kernels meet the same kind of segment as with a file.
  /// The caller closes it, or the [io.cusco.llama.Llama] that takes it over.
  ///
  /// @throws LlamaException if this build was made without it
  public static Checkpoint open() {
    byte[] bytes = bytes();
    Arena arena = Arena.ofShared();
    MemorySegment segment = NativeMemory.allocateZeroed(bytes.length, arena);
    MemorySegment.copy(bytes, 0, segment, ValueLayout.JAVA_BYTE, 0, bytes.length);
    return GgufCheckpoint.of(NAME, segment, arena);
  }

  /// Writes it to a file, replacing an earlier one, for what wants a path.
  ///
  /// @throws IOException if the file cannot be written
  /// @throws LlamaException if this build was made without it
  public static void copyTo(Path file) throws IOException {
    Files.write(file, bytes());
  }

  /// Its size in bytes, or empty if this build has none.
  public static OptionalInt numBytes() {
    try (InputStream resource = DemoModel.class.getResourceAsStream(NAME)) {
      return resource == null ? OptionalInt.empty() : OptionalInt.of(resource.available());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] bytes() {
    try (InputStream resource = DemoModel.class.getResourceAsStream(NAME)) {
      if (resource == null) {
        throw new LlamaException(
            "this build has no bundled demo model (%s); name a model of your own".formatted(NAME));
      }
      return resource.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
