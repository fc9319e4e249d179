package io.cusco.llama.cli.batch;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cli.json.JsonValueException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/// Where result lines go: each is handed to the system whole and at once, so that a process that is
/// killed leaves whole lines and at most one torn at the end.
///
/// Safe for use by several threads.
public final class BatchOutput implements AutoCloseable {
  /// A result cannot get longer than a few contexts; a line beyond this is not ours.
  private static final int MAX_LINE_BYTES = 1 << 30;

  /// What takes the bytes of whole lines.
  @FunctionalInterface
  public interface Sink {
    void write(byte[] line);
  }

  private final ReentrantLock lock = new ReentrantLock();
  private final Sink sink;
  private final AutoCloseable file;

  private BatchOutput(Sink sink, AutoCloseable file) {
    this.sink = sink;
    this.file = file;
  }

  /// Writes to a standard stream.
  ///
  /// @param sink hands on what it gets at once
  public static BatchOutput to(Sink sink) {
    return new BatchOutput(sink, () -> {});
  }

  /// Creates `path`, or opens it if it is there and empty.
  ///
  /// @throws LlamaException if it has content, its folder is missing, another run writes to it, or
  ///   it cannot be written
  public static BatchOutput create(Path path) {
    requireFolder(path);
    FileChannel channel = open(path);
    try {
      OutputLock.take(path, channel);
      if (channel.size() > 0) {
        throw new LlamaException(
            "%s exists and has %d bytes; go on with it by --resume, or name another file"
                .formatted(path, channel.size()));
      }
      return of(path, channel);
    } catch (IOException | RuntimeException e) {
      throw closed(path, channel, e);
    }
  }

  /// Opens `path` where an earlier run left it, or creates it: notes what it has answered, and cuts
  /// a torn line off its end.
  ///
  /// @param answered hears of each whole line
  /// @throws LlamaException as [#create], or if a line is none that a run writes
  static BatchOutput resume(Path path, Consumer<ResultLine.Answered> answered) {
    requireFolder(path);
    if (Files.exists(path) && !Files.isRegularFile(path)) {
      throw new LlamaException("%s is no file, so there is nothing to resume".formatted(path));
    }
    FileChannel channel = open(path);
    try {
      OutputLock.take(path, channel);
      long end = endOfWholeLines(path, answered);
      channel.truncate(end);
      channel.position(end);
      return of(path, channel);
    } catch (IOException | RuntimeException e) {
      throw closed(path, channel, e);
    }
  }

  private static BatchOutput of(Path path, FileChannel channel) {
    return new BatchOutput(
        line -> {
          try {
            ByteBuffer bytes = ByteBuffer.wrap(line);
            while (bytes.hasRemaining()) {
              int _ = channel.write(bytes);
            }
          } catch (IOException e) {
            throw new LlamaException("cannot write %s: %s".formatted(path, e.getMessage()), e);
          }
        },
        channel);
  }

  private static void requireFolder(Path path) {
    Path folder = path.toAbsolutePath().getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw new LlamaException("%s: there is no folder %s".formatted(path, folder));
    }
    if (Files.isDirectory(path)) {
      throw new LlamaException("%s is a folder; name a file for the output".formatted(path));
    }
  }

  private static FileChannel open(Path path) {
    try {
      return FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    } catch (IOException e) {
      throw new LlamaException("cannot write %s: %s".formatted(path, reason(e)), e);
    }
  }

  /// Messages of the file system's own exceptions begin with the path, or are nothing else.
  private static String reason(IOException e) {
    return switch (e) {
      case AccessDeniedException _ -> "access denied";
      case NoSuchFileException _ -> "it is a link into a folder that is missing";
      case FileSystemException system when system.getReason() != null -> system.getReason();
      default -> e.getMessage();
    };
  }

  private static long endOfWholeLines(Path path, Consumer<ResultLine.Answered> answered)
      throws IOException {
    long end = 0;
    try (InputStream in = new BufferedInputStream(Files.newInputStream(path))) {
      LineReader lines = new LineReader(in, MAX_LINE_BYTES);
      for (LineReader.Line line = lines.next();
          line != null && line.isWhole();
          line = lines.next()) {
        answered.accept(read(path, line));
        end = line.end();
      }
    }
    return end;
  }

  private static ResultLine.Answered read(Path path, LineReader.Line line) {
    try {
      return ResultLine.read(line.bytes());
    } catch (JsonValueException e) {
      throw new LlamaException(
          "%s: line %d is no result of a batch run (%s); name the right file, or mend that line"
              .formatted(path, line.number(), e.getMessage()),
          e);
    }
  }

  private static LlamaException closed(Path path, FileChannel channel, Exception e) {
    try {
      channel.close();
    } catch (IOException closing) {
      e.addSuppressed(closing);
    }
    return e instanceof LlamaException known
        ? known
        : new LlamaException("cannot write %s: %s".formatted(path, e), e);
  }

  /// Writes one line.
  ///
  /// @param line without a line end, and with none inside
  /// @throws LlamaException if it cannot be written
  void write(String line) {
    byte[] bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
    lock.lock();
    try {
      sink.write(bytes);
    } finally {
      lock.unlock();
    }
  }

  /// Waits until the line under way is written, and lets no other follow: for the end of the
  /// process, which this does not return from. Writers wait for it.
  public void stop() {
    lock.lock();
  }

  /// Closes the file.
  @Override
  public void close() {
    try {
      file.close();
    } catch (Exception e) {
      throw e instanceof IOException io
          ? new UncheckedIOException(io)
          : new IllegalStateException("closing the output failed", e);
    }
  }
}
