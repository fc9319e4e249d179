package io.cusco.llama.engine;

import io.cusco.llama.LlamaException;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.engine.ReadTask.Rows;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.TokenLogprobs;
import io.cusco.llama.tokenizer.Tokenizer;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/// Continuous batching over one model: requests come in from any thread, share steps, and leave
/// through their [Generation].
///
/// ```
/// Request -> Sequence -> Scheduler (BlockManager) -> StepBatch -> LlamaModel.forward
///                           ^                                            |
///                           |          Generation <- TextStream <- LlamaModel.sample
///                           +---------------- token ---------------------+
/// ```
///
/// One daemon thread, `cusco-engine`, owns the model, the blocks and the sequences and is the only
/// one to change them; it parks when there is nothing to compute. A request's tokens depend on the
/// request alone, not on what else is in the batch or in the prefix cache; only the last bits of
/// logits depend on how a prompt is cut into steps.
///
/// Keys and values of full blocks of tokens are kept until their memory is needed, and sequences
/// that begin with the same tokens share them: a system prompt, the turns of a conversation so far,
/// the samples of one request, a sequence that was preempted ([EngineOptions#prefixCache()]).
///
/// One request, several samples of one, and any number of requests:
///
/// ```java
/// Generation.Result one = engine.submit(request).await();
///
/// List<Generation> samples = engine.submitSamples(request.withSamples(4));
///
/// try (BatchRun run = engine.run(requests.iterator())) {
///   while (run.hasNext()) {
///     switch (run.next()) {
///       case Outcome.Completed done -> save(done.index(), done.result().text());
///       case Outcome.Failed failed -> report(failed.index(), failed.failure());
///     }
///   }
/// }
/// ```
///
/// All methods are safe to call from any thread.
public final class Engine implements AutoCloseable {
  /// Longer ones could not be compared by their difference; 146 years.
  private static final long MAX_TIMEOUT_NANOS = Long.MAX_VALUE / 2;

  private final LlamaConfig config;
  private final StepLimits limits;
  private final RequestChecks checks;
  private final int[] endOfGeneration;
  private final Optional<Supplier<PieceDecoder>> decoders;
  private final EngineOptions options;
  private final Semaphore places;
  private final AtomicLong lastRequestId = new AtomicLong();
  private final Inbox inbox = new Inbox();
  private final EngineLoop loop;
  private final Thread thread;

  /// With [EngineOptions#DEFAULT].
  public Engine(LlamaModel model, Optional<Tokenizer> tokenizer, List<Integer> endOfGeneration) {
    this(model, tokenizer, endOfGeneration, EngineOptions.DEFAULT);
  }

  /// Takes over `model`: it is used on the engine thread only, and closed there by [#close()].
  ///
  /// @param tokenizer decodes text; without one, generations have ids only and stop strings are
  ///   refused
  /// @param endOfGeneration tokens that end a generation unless it ignores them
  public Engine(
      LlamaModel model,
      Optional<Tokenizer> tokenizer,
      List<Integer> endOfGeneration,
      EngineOptions options) {
    this(model, endOfGeneration, tokenizer.map(known -> () -> PieceDecoder.of(known)), options);
  }

  /// For tests: text without a [Tokenizer].
  Engine(
      LlamaModel model,
      List<Integer> endOfGeneration,
      Optional<Supplier<PieceDecoder>> decoders,
      EngineOptions options) {
    this.config = model.config();
    this.limits = model.limits();
    this.checks = new RequestChecks(model, decoders.isPresent());
    this.endOfGeneration = endOfGeneration.stream().mapToInt(Integer::intValue).toArray();
    this.decoders = decoders;
    this.options = options;
    this.places = new Semaphore(options.maxQueued(), true);
    this.loop = new EngineLoop(model, options, inbox);
    this.thread = Thread.ofPlatform().daemon().name("cusco-engine").unstarted(loop);
    thread.start();
  }

  /// Queues a request for one sample.
  ///
  /// @throws IllegalArgumentException if the request can never run: empty prompt, an id outside the
  ///   vocabulary, a prompt that leaves no room for a token in the context or the KV cache, stop
  ///   strings without a tokenizer; or if it asks for several samples
  /// @throws QueueFullException if as many wait as may, and callers do not wait for room
  ///   ([EngineOptions#whenFull()])
  /// @throws LlamaException if the thread is interrupted while it waits for room
  /// @throws IllegalStateException if the engine is closed
  public Generation submit(Request request) {
    if (request.samples() != 1) {
      throw new IllegalArgumentException(
          "the request asks for %d samples, submit gives one; use submitSamples"
              .formatted(request.samples()));
    }
    return submitSamples(request).getFirst();
  }

  /// Queues a request; its [Request#samples()] are generations of their own that take one place in
  /// the queue. The full blocks of the prompt are computed once and shared, at most a block's
  /// tokens once per sample.
  ///
  /// @return the samples in order
  /// @throws RuntimeException as [#submit] does
  public List<Generation> submitSamples(Request request) {
    return submit(request, options.whenFull());
  }

  /// Runs any number of requests, with [BatchOptions#DEFAULT].
  ///
  /// @see #run(Iterator, BatchOptions)
  public BatchRun run(Iterator<Request> requests) {
    return run(requests, BatchOptions.DEFAULT);
  }

  /// Runs any number of requests: pulls them from `requests` as there is room for them, and gives
  /// out what became of each. A request that is refused or fails is an [Outcome.Failed] and ends
  /// nothing. Several runs and single requests may share the engine.
  ///
  /// @return the outcomes; closing it cancels what is under way
  public BatchRun run(Iterator<Request> requests, BatchOptions batch) {
    int running = Scheduler.maxRunning(limits, options.maxRunning());
    int window = batch.window().orElse(Math.multiplyExact(running, BatchOptions.WINDOW_FACTOR));
    return new BatchRun(requests, this::submitWhenThereIsRoom, window, batch.order());
  }

  /// A run has nothing better to do than to wait, whatever single requests do.
  private List<Generation> submitWhenThereIsRoom(Request request) {
    return submit(request, EngineOptions.QueueFull.WAIT);
  }

  private List<Generation> submit(Request request, EngineOptions.QueueFull whenFull) {
    checks.check(request);
    takePlace(whenFull);
    try {
      List<Sequence> sequences = sequences(request);
      send(() -> sequences.forEach(loop::add));
      return sequences.stream().map(Sequence::generation).toList();
    } catch (RuntimeException e) {
      places.release();
      throw e;
    }
  }

  private List<Sequence> sequences(Request request) {
    long nanos = System.nanoTime();
    Sequence.Submission submission =
        new Sequence.Submission(
            lastRequestId.incrementAndGet(),
            endOfGeneration,
            checks.maxLength(),
            nanos,
            deadline(nanos, request),
            new QueuePlace(places, request.samples()),
            cancelled -> inbox.offer(() -> loop.cancel(cancelled)));
    return IntStream.range(0, request.samples())
        .mapToObj(sample -> new Sequence(request, sample, newDecoder(), submission))
        .toList();
  }

  private PieceDecoder newDecoder() {
    return decoders.map(Supplier::get).orElseGet(PieceDecoder::silent);
  }

  private static OptionalLong deadline(long nanos, Request request) {
    if (request.timeout().isEmpty()) {
      return OptionalLong.empty();
    }
    long timeout = TimeUnit.NANOSECONDS.convert(request.timeout().get());
    return OptionalLong.of(nanos + Math.min(timeout, MAX_TIMEOUT_NANOS));
  }

  private void takePlace(EngineOptions.QueueFull whenFull) {
    // Those who wait come first.
    if (!places.hasQueuedThreads() && places.tryAcquire()) {
      return;
    }
    if (whenFull == EngineOptions.QueueFull.REFUSE) {
      throw new QueueFullException(options.maxQueued());
    }
    if (isEngineThread()) {
      throw new IllegalStateException(
          "the queue is full, and the engine thread would wait for itself");
    }
    try {
      places.acquire();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LlamaException("interrupted while waiting for room in the queue", e);
    }
  }

  /// Runs the network over `ids` and hands the logits of every position to `sink`, in order; blocks
  /// until all are delivered. Nothing is drawn, so the rows are as the model gives them, broken
  /// values included.
  ///
  /// The text takes part in the engine's KV cache. Texts that are read share steps, of as many
  /// tokens as the model gives rows of logits, in turn with those of running requests. `sink` runs
  /// on the engine thread and must not wait for this engine. A thread that is interrupted here
  /// gives up: it gets a [LlamaException], and `sink` may still see the rows of the step under way.
  ///
  /// @throws IllegalArgumentException if `ids` is empty, has an id outside the vocabulary or does
  ///   not fit into the context or the KV cache
  /// @throws IllegalStateException if the engine is closed, or if called on the engine thread
  /// @throws LlamaException if the model or the sink fails
  public void score(int[] ids, LogitsSink sink) {
    checks.requireLogits();
    checks.checkText(ids, "score");
    if (isEngineThread()) {
      throw new IllegalStateException("score was called on the engine thread, which would wait");
    }
    CompletableFuture<Void> done = new CompletableFuture<>();
    CachedTokens tokens = new CachedTokens(ids.clone());
    RowReader<Void> reader = RowReader.logits(config, sink);
    send(() -> loop.add(new ReadTask<>(tokens, Rows.ALL, true, reader, () -> {}, done)));
    try {
      done.get();
    } catch (ExecutionException e) {
      throw new LlamaException(
          "scoring %d tokens failed: %s".formatted(ids.length, e.getCause().getMessage()),
          e.getCause());
    } catch (InterruptedException e) {
      LlamaException interrupted =
          new LlamaException("interrupted while scoring %d tokens".formatted(ids.length), e);
      done.completeExceptionally(interrupted);
      Thread.currentThread().interrupt();
      throw interrupted;
    }
  }

  /// The scores that a reward model or classifier gives a text, `[labels]`: those of its last
  /// token, as transformers' `LlamaForSequenceClassification` has them. Texts that begin alike
  /// share what they have in common, and as many as fit are read in one step.
  ///
  /// Waits in the queue like a request. Stages that depend on the future never run on the engine
  /// thread; cancelling it gives the text up.
  ///
  /// @return completes exceptionally with a [LlamaException] if the model fails, gives values that
  ///   are not finite, or the engine is closed
  /// @throws IllegalArgumentException if the model has no score head, or if `ids` is empty, has an
  ///   id outside the vocabulary or does not fit into the context or the KV cache
  /// @throws QueueFullException as [#submit] does
  /// @throws IllegalStateException if the engine is closed
  public CompletableFuture<float[]> reward(int... ids) {
    checks.requireScores();
    checks.checkText(ids, "score");
    return read(ids.clone(), Rows.LAST, true, RowReader.lastOutput(config));
  }

  /// A text as one vector, `[hiddenSize]`, made of its tokens' final hidden states; every model has
  /// them. Otherwise as [#reward].
  ///
  /// With [EmbeddingParams.Pooling#LAST] texts that begin alike share what they have in common; the
  /// mean needs every token's states, and all are computed.
  public CompletableFuture<float[]> embed(int[] ids, EmbeddingParams params) {
    checks.checkText(ids, "embed");
    int[] own = ids.clone();
    return switch (params.pooling()) {
      case LAST -> read(own, Rows.LAST, false, RowReader.lastHiddenStates(config, params));
      case MEAN -> read(own, Rows.ALL, false, RowReader.meanHiddenStates(config, params));
    };
  }

  /// How likely each token of a text is after those before it, with the `top` likeliest
  /// alternatives; nothing for the first token, which follows nothing. Otherwise as [#reward].
  ///
  /// @throws IllegalArgumentException if the model has no vocabulary head, and as [#reward]
  public CompletableFuture<List<TokenLogprobs>> promptLogprobs(int[] ids, int top) {
    checks.requireLogits();
    checks.checkText(ids, "score");
    if (top < 0 || top > SamplingParams.MAX_LOGPROBS) {
      throw new IllegalArgumentException(
          "alternatives must be 0 .. %d, got %d".formatted(SamplingParams.MAX_LOGPROBS, top));
    }
    int[] own = ids.clone();
    return read(own, Rows.ALL, true, RowReader.logprobs(config, own, top));
  }

  /// @param ids are taken over
  private <T> CompletableFuture<T> read(
      int[] ids, Rows rows, boolean wantsLogits, RowReader<T> reader) {
    takePlace(options.whenFull());
    QueuePlace place = new QueuePlace(places, 1);
    CompletableFuture<T> done = new CompletableFuture<>();
    ReadTask<T> task =
        new ReadTask<>(new CachedTokens(ids), rows, wantsLogits, reader, place::leave, done);
    try {
      send(() -> loop.add(task));
    } catch (RuntimeException e) {
      places.release();
      throw e;
    }
    return Handover.of(done, () -> done.cancel(false));
  }

  /// What the engine is doing, as of its last step.
  public EngineStats stats() {
    return loop.stats();
  }

  /// Cancels what runs and what waits, ends the engine thread and closes the model; returns when
  /// that is done. Idempotent. On the engine thread itself (in a [LogitsSink]) it only asks for it.
  @Override
  public void close() {
    inbox.close();
    if (isEngineThread()) {
      return;
    }
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        // The caller frees the weights next, so this has to be waited for.
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean isEngineThread() {
    return thread.equals(Thread.currentThread());
  }

  private void send(Runnable command) {
    if (!inbox.offer(command)) {
      throw loop.breakdown()
          .map(cause -> new IllegalStateException(cause.getMessage(), cause))
          .orElseGet(() -> new IllegalStateException("the engine is closed"));
    }
  }
}
