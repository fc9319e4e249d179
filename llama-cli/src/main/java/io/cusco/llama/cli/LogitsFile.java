package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/// A file of logits that appears under its name only when it is complete.
final class LogitsFile implements AutoCloseable {
  private final Path target;
  private final Path partial;
  private final FileChannel channel;
  private ByteBuffer row = ByteBuffer.allocateDirect(0);

  private LogitsFile(Path target, Path partial, FileChannel channel) {
    this.target = target;
    this.partial = partial;
    this.channel = channel;
  }

  /// @throws LlamaException if `target` is a device or a folder: the file would take its place
  static LogitsFile create(Path target) throws IOException {
    if (Files.exists(target) && !Files.isRegularFile(target)) {
      throw new LlamaException("cannot write %s: not a regular file".formatted(target));
    }
    Path partial = target.resolveSibling(target.getFileName() + ".partial");
    FileChannel channel =
        FileChannel.open(
            partial,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE);
    return new LogitsFile(target, partial, channel);
  }

  /// Appends one row.
  void write(float[] logits) {
    int numBytes = Math.multiplyExact(logits.length, Float.BYTES);
    if (row.capacity() != numBytes) {
      row = ByteBuffer.allocateDirect(numBytes).order(ByteOrder.LITTLE_ENDIAN);
    }
    row.clear();
    row.asFloatBuffer().put(logits);
    try {
      while (row.hasRemaining()) {
        channel.write(row);
      }
    } catch (IOException e) {
      throw new LlamaException("cannot write %s: %s".formatted(partial, Failures.describe(e)), e);
    }
  }

  /// Gives the file its name.
  void finish() throws IOException {
    channel.close();
    Files.move(partial, target, StandardCopyOption.REPLACE_EXISTING);
  }

  /// Removes an unfinished file.
  @Override
  public void close() throws IOException {
    channel.close();
    Files.deleteIfExists(partial);
  }
}
