package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cli.batch.OutputLock;
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

  /// @throws LlamaException if `target` is a device or a folder: the file would take its place; or
  ///   if another run writes it
  static LogitsFile create(Path target) throws IOException {
    if (Files.exists(target) && !Files.isRegularFile(target)) {
      throw new LlamaException("cannot write %s: not a regular file".formatted(target));
    }
    Path partial = target.resolveSibling(target.getFileName() + ".partial");
    FileChannel channel =
        FileChannel.open(partial, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      OutputLock.take(target, channel);
      return new LogitsFile(target, partial, channel.truncate(0));
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
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

  /// Gives the file its name, still locked: another run would take the partial file for its own.
  void finish() throws IOException {
    Files.move(partial, target, StandardCopyOption.REPLACE_EXISTING);
    channel.close();
  }

  /// Removes an unfinished file.
  @Override
  public void close() throws IOException {
    if (channel.isOpen()) {
      Files.deleteIfExists(partial);
      channel.close();
    }
  }
}
