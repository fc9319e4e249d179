package io.cusco.llama.cli.batch;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import io.cusco.llama.cli.openai.ApiException;
import io.cusco.llama.cli.openai.Engines;
import io.cusco.llama.cli.openai.Usage;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/// A file of requests on its way to a file of results.
///
/// ```
/// input --BatchIntake--> Engine.submit ... --answers--> [held back for the order] --> BatchOutput
///         own thread     at most window() lines         caller's thread
/// ```
///
/// A line of the input may hold many prompts or none that can run, which is why this has a window
/// of its own, where [io.cusco.llama.engine.Engine#run] has one of requests.
///
/// Memory does not grow with the input, but for the `custom_id`s, see [CustomIds]. One thread uses
/// it, except where it is said otherwise.
public final class BatchJob implements AutoCloseable {
  /// A step that fails takes all its requests with it, the one at fault and the others.
  private static final int MAX_ATTEMPTS = 2;

  private static final long PROGRESS_MILLIS = 200;

  /// Hears how far a run has come, now and then, on the thread that runs it.
  @FunctionalInterface
  public interface Listener {
    /// @param tokensPerSecond generated in the last seconds, of finished requests and others
    void show(BatchSummary soFar, double tokensPerSecond);
  }

  private final JobOptions options;
  private final InputStream in;
  private final BatchOutput output;
  private final CustomIds ids;
  private final Map<Long, Answer> held = new HashMap<>();
  private long failedBefore;
  private BatchIntake intake;
  private Semaphore window;
  private BlockingQueue<Answer> answers;
  private long startNanos;
  private long written;
  private volatile BatchSummary summary;

  /// Opens input and output, before the long way of a model into memory begins.
  ///
  /// @param stdin read if the options name no input
  /// @param stdout written to if the options name no output
  /// @throws LlamaException if one of them cannot be opened, or both are the same file
  public static BatchJob open(JobOptions options, InputStream stdin, BatchOutput.Sink stdout) {
    requireDifferentFiles(options);
    InputStream in = options.input().map(BatchJob::openInput).orElse(stdin);
    try {
      return new BatchJob(options, in, stdout);
    } catch (RuntimeException e) {
      if (options.input().isPresent()) {
        closeAfter(e, in);
      }
      throw e;
    }
  }

  private BatchJob(JobOptions options, InputStream in, BatchOutput.Sink stdout) {
    this.options = options;
    this.in = in;
    ids = new CustomIds();
    if (options.output().isEmpty()) {
      output = BatchOutput.to(stdout);
    } else if (options.resume()) {
      output = BatchOutput.resume(options.output().get(), this::noteAnswered);
    } else {
      output = BatchOutput.create(options.output().get());
    }
    summary = new BatchSummary(0, 0, 0, failedBefore, 0, 0, 0, 0);
  }

  private void noteAnswered(ResultLine.Answered answered) {
    answered.customId().ifPresent(ids::markAnswered);
    answered.lineNumber().ifPresent(ids::markLineAnswered);
    if (answered.failed()) {
      failedBefore++;
    }
  }

  private static void requireDifferentFiles(JobOptions options) {
    if (options.input().isEmpty() || options.output().isEmpty()) {
      return;
    }
    Path in = options.input().get();
    Path out = options.output().get();
    try {
      if (Files.exists(in) && Files.exists(out) && Files.isSameFile(in, out)) {
        throw new LlamaException("%s is both input and output; name another output".formatted(out));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static InputStream openInput(Path path) {
    if (Files.isDirectory(path)) {
      throw new LlamaException("%s is a folder; name a file of requests".formatted(path));
    }
    try {
      return Files.newInputStream(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void closeAfter(RuntimeException reason, InputStream in) {
    try {
      in.close();
    } catch (IOException e) {
      reason.addSuppressed(e);
    }
  }

  /// Lines of the input, blank ones included; 0 if it is no file, whose lines can be counted before
  /// they are read.
  public long countLines() {
    if (options.input().isEmpty() || !Files.isRegularFile(options.input().get())) {
      return 0;
    }
    long count = 0;
    try (InputStream file = new BufferedInputStream(Files.newInputStream(options.input().get()))) {
      LineReader lines = new LineReader(file, 0);
      while (lines.next() != null) {
        count++;
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return count;
  }

  /// Answers all lines. Once.
  ///
  /// @param engines are used, not owned
  /// @throws LlamaException if input, output or an engine fail; what is written stays valid, and a
  ///   run with `resume` goes on from there
  public BatchSummary run(Engines engines, Listener listener) {
    startNanos = System.nanoTime();
    window = new Semaphore(options.window());
    answers = new LinkedBlockingQueue<>();
    intake = new BatchIntake(in, ids, engines, options.seed(), window, answers);
    Thread reading = Thread.ofPlatform().daemon().name("llama-batch-input").start(intake);
    try {
      writeAll(engines.llama(), listener);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LlamaException("the batch was interrupted", e);
    } finally {
      reading.interrupt();
    }
    return summary;
  }

  /// What was done until now. Safe to call from any thread.
  public BatchSummary summary() {
    return summary;
  }

  /// See [BatchOutput#stop()]. Safe to call from any thread.
  public void stop() {
    output.stop();
  }

  private void writeAll(Llama llama, Listener listener) throws InterruptedException {
    long total = Long.MAX_VALUE;
    while (written < total) {
      Answer answer = answers.poll(PROGRESS_MILLIS, TimeUnit.MILLISECONDS);
      switch (answer) {
        case null -> note(0, Usage.NONE, 0);
        case Answer.End end -> {
          if (end.failure() != null) {
            throw stopped(end.failure());
          }
          total = end.index();
        }
        case Answer.Failed failed when failed.failure() instanceof IllegalStateException e ->
            throw stopped(e);
        case Answer.Failed failed when failed.attempt() < MAX_ATTEMPTS -> retry(failed);
        default -> inOrder(answer);
      }
      listener.show(summary, llama.engine().stats().generatedTokensPerSecond());
    }
    note(0, Usage.NONE, 0);
  }

  /// Also tells a request that failed from an engine that did: nothing is written of the latter, so
  /// that a later run answers it.
  private void retry(Answer.Failed failed) {
    try {
      intake.submit(failed.index(), failed.customId(), failed.request(), failed.attempt() + 1);
    } catch (IllegalStateException e) {
      throw stopped(e);
    }
  }

  private LlamaException stopped(Exception cause) {
    return new LlamaException(
        "the batch stopped after %d answers: %s".formatted(written, cause.getMessage()), cause);
  }

  private void inOrder(Answer answer) {
    if (!options.inputOrder()) {
      write(answer);
      return;
    }
    held.put(answer.index(), answer);
    for (Answer next = held.remove(written); next != null; next = held.remove(written)) {
      write(next);
    }
  }

  private void write(Answer answer) {
    switch (answer) {
      case Answer.Refused refused -> {
        output.write(refused.line());
        note(1, Usage.NONE, 1);
      }
      case Answer.Failed failed -> {
        String message = failed.failure().getMessage();
        ApiException error = new ApiException(500, "", "", message, failed.failure());
        output.write(
            ResultLine.response(Ids.next(), failed.customId(), error.status(), error.toJson()));
        note(1, Usage.NONE, 1);
      }
      case Answer.Computed computed -> writeComputed(computed);
      case Answer.End _ -> throw new IllegalStateException("the end is no answer");
    }
    window.release();
  }

  private void writeComputed(Answer.Computed computed) {
    String id = Ids.next();
    long now = System.currentTimeMillis() / 1000;
    output.write(
        ResultLine.response(id, computed.customId(), 200, computed.answer().body(id, now)));
    note(1, computed.answer().usage(), 0);
  }

  private void note(int answered, Usage usage, int failed) {
    written += answered;
    BatchSummary last = summary;
    summary =
        new BatchSummary(
            written,
            last.failed() + failed,
            intake.skipped(),
            failedBefore,
            last.promptTokens() + usage.promptTokens(),
            last.completionTokens() + usage.completionTokens(),
            last.cachedPromptTokens() + usage.cachedPromptTokens(),
            System.nanoTime() - startNanos);
  }

  /// Closes the files, not stdin and stdout.
  @Override
  public void close() {
    output.close();
    try {
      if (options.input().isPresent()) {
        in.close();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
