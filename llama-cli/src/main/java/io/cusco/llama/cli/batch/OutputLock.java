package io.cusco.llama.cli.batch;

import io.cusco.llama.LlamaException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;

/// Keeps two runs from writing the same file. The system lets go of a lock with its channel, or
/// with the process.
public final class OutputLock {
  private OutputLock() {}

  /// Locks what `channel` writes until it is closed.
  ///
  /// @param path what to call it in messages
  /// @throws LlamaException if another run writes to it
  public static void take(Path path, FileChannel channel) {
    try {
      if (channel.tryLock() != null) {
        return;
      }
    } catch (OverlappingFileLockException e) {
      throw new LlamaException("%s: another run writes to it".formatted(path), e);
    } catch (IOException e) {
      // Some file systems, and what is no file, cannot be locked: no reason to refuse them.
      return;
    }
    throw new LlamaException("%s: another run writes to it".formatted(path));
  }
}
