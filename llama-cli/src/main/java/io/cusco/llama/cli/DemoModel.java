package io.cusco.llama.cli;

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
import java.util.OptionalInt;

/// The small story model inside this program's jar, used when no `-m` is given.
final class DemoModel {
  static final String NAME = "cusco-demo-stories.gguf";

  private DemoModel() {}

  /// Opens it from an off-heap copy, so that kernels meet the same kind of segment as with a file.
  ///
  /// @throws LlamaException if this build was made without it
  static Checkpoint open() {
    byte[] bytes;
    try (InputStream resource = DemoModel.class.getResourceAsStream("demo/" + NAME)) {
      if (resource == null) {
        throw new LlamaException(
            "this build has no bundled demo model (%s); name a model with -m".formatted(NAME));
      }
      bytes = resource.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Arena arena = Arena.ofShared();
    MemorySegment segment = NativeMemory.allocateZeroed(bytes.length, arena);
    MemorySegment.copy(bytes, 0, segment, ValueLayout.JAVA_BYTE, 0, bytes.length);
    return GgufCheckpoint.of(NAME, segment, arena);
  }

  /// Its size in bytes, or empty if this build has none.
  static OptionalInt numBytes() {
    try (InputStream resource = DemoModel.class.getResourceAsStream("demo/" + NAME)) {
      return resource == null ? OptionalInt.empty() : OptionalInt.of(resource.available());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
