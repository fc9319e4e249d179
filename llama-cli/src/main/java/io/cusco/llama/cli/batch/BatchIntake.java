package io.cusco.llama.cli.batch;

import io.cusco.llama.cli.batch.BatchLine.BadLineException;
import io.cusco.llama.cli.json.JsonValue;
import io.cusco.llama.cli.json.JsonValueException;
import io.cusco.llama.cli.openai.ApiAnswer;
import io.cusco.llama.cli.openai.ApiException;
import io.cusco.llama.cli.openai.ApiRequest;
import io.cusco.llama.cli.openai.CompletionReader;
import io.cusco.llama.cli.openai.Engines;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;

/// Reads the input and hands its requests to the engines, on a thread of its own: reading may wait
/// for a slow pipe while answers are there to be written. What becomes of each line goes into a
/// queue.
final class BatchIntake implements Runnable {
  /// A conversation of a whole 128k context, every character escaped, is a tenth of this.
  static final int MAX_LINE_BYTES = 64 << 20;

  private final LineReader lines;
  private final CustomIds ids;
  private final Engines engines;
  private final CompletionReader reader;
  private final long seed;
  private final Semaphore window;
  private final BlockingQueue<Answer> answers;
  private final AtomicLong skipped = new AtomicLong();
  private long index;

  /// @param ids what an earlier run has answered
  /// @param seed see [JobOptions#seed()]
  /// @param window has a permit for each line that may be under way; the writer of an answer gives
  ///   it back
  BatchIntake(
      InputStream in,
      CustomIds ids,
      Engines engines,
      long seed,
      Semaphore window,
      BlockingQueue<Answer> answers) {
    this.lines = new LineReader(in, MAX_LINE_BYTES);
    this.ids = ids;
    this.engines = engines;
    this.reader = new CompletionReader(engines);
    this.seed = seed;
    this.window = window;
    this.answers = answers;
  }

  /// Lines passed over because an earlier run has answered them. Safe to call from any thread.
  long skipped() {
    return skipped.get();
  }

  @Override
  public void run() {
    // Whatever ends this thread, an Error too, whoever waits for answers must hear of it.
    Exception failure = new IllegalStateException("the thread that reads the input has died");
    try {
      for (LineReader.Line line = lines.next(); line != null; line = lines.next()) {
        if (!line.isBlank()) {
          take(line);
        }
      }
      failure = null;
    } catch (IOException | InterruptedException | RuntimeException e) {
      failure = e;
    } finally {
      answers.add(new Answer.End(index, failure));
    }
  }

  private void take(LineReader.Line line) throws InterruptedException {
    Optional<String> customId = Optional.empty();
    try {
      if (line.isTooLong()) {
        throw new BadLineException(
            "line_too_long",
            "the line has more than %d bytes, the most that is read".formatted(MAX_LINE_BYTES));
      }
      JsonValue json = BatchLine.parse(line);
      customId = Optional.of(BatchLine.customId(json));
      switch (ids.meet(customId.get())) {
        case ANSWERED -> skipped.incrementAndGet();
        case REPEATED ->
            throw new BadLineException(
                "duplicate_custom_id",
                "an earlier line has the custom_id \"%s\" already".formatted(customId.get()));
        case NEW -> start(BatchLine.of(customId.get(), json));
      }
    } catch (BadLineException e) {
      refuse(line, customId, e);
    }
  }

  private void refuse(LineReader.Line line, Optional<String> customId, BadLineException e)
      throws InterruptedException {
    if (ids.isLineAnswered(line.number())) {
      skipped.incrementAndGet();
      return;
    }
    window.acquire();
    answers.add(
        new Answer.Refused(
            index++,
            ResultLine.error(Ids.next(), customId, e.code(), e.getMessage(), line.number())));
  }

  private void start(BatchLine line) throws InterruptedException {
    window.acquire();
    long number = index++;
    try {
      submit(number, line.customId(), read(line), 1);
    } catch (ApiException e) {
      answers.add(refusal(number, line.customId(), e));
    }
  }

  private static ApiException tooLarge(OutOfMemoryError e) {
    return new ApiException(
        400,
        "",
        "",
        "the request takes more memory than the Java heap of %d MB has left; shorten it, or give more with LLAMA_JAVA_OPTS=-Xmx8g"
            .formatted(Runtime.getRuntime().maxMemory() >> 20),
        e);
  }

  private ApiRequest read(BatchLine line) {
    try {
      if (line.body().get("stream").boolOr(false)) {
        throw new ApiException(
            400, "stream", "", "a batch cannot stream; leave stream out or false", null);
      }
      return reader.read(line.endpoint(), line.body(), Ids.mix(seed, line.customId()));
    } catch (JsonValueException e) {
      throw new ApiException(400, e.path(), "", e.getMessage(), e);
    } catch (OutOfMemoryError e) {
      // What it took is free again, and a run that ended here would end here when it is resumed.
      throw tooLarge(e);
    }
  }

  /// Hands a request to the engines; its answer comes into the queue. Safe to call from any thread.
  ///
  /// @throws IllegalStateException if an engine has stopped
  void submit(long number, String customId, ApiRequest request, int attempt) {
    CompletableFuture<ApiAnswer> started;
    try {
      started = request.start(engines);
    } catch (IllegalArgumentException e) {
      answers.add(refusal(number, customId, e));
      return;
    }
    CompletableFuture<ApiAnswer> _ =
        started.whenComplete((answer, failure) ->
            answers.add(
                failure == null
                    ? new Answer.Computed(number, customId, answer)
                    : failed(number, customId, request, attempt, unwrap(failure))));
  }

  private static Answer failed(
      long number, String customId, ApiRequest request, int attempt, Throwable failure) {
    return failure instanceof IllegalArgumentException refused
        ? refusal(number, customId, refused)
        : new Answer.Failed(number, customId, request, attempt, failure);
  }

  private static Throwable unwrap(Throwable failure) {
    Throwable cause = failure;
    while (cause instanceof CompletionException && cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause;
  }

  private static Answer refusal(long number, String customId, IllegalArgumentException e) {
    return refusal(number, customId, new ApiException(400, "", "", e.getMessage(), e));
  }

  private static Answer refusal(long number, String customId, ApiException e) {
    return new Answer.Refused(
        number, ResultLine.response(Ids.next(), customId, e.status(), e.toJson()));
  }
}
