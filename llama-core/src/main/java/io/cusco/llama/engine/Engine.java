package io.cusco.llama.engine;

import io.cusco.llama.LlamaException;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.tokenizer.Tokenizer;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
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
/// Request -> Sequence -> Scheduler (BlockManager) -> StepPlanner -> LlamaModel.forward
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

  private final int vocabSize;
  private final StepLimits limits;
  private final KvCacheSpec cache;
  private final int maxLength;
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
    this.vocabSize = model.config().vocabSize();
    this.limits = model.limits();
    this.cache = model.kvCache();
    this.maxLength = (int) Math.min(limits.maxContextLength(), cache.capacityTokens());
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
    check(request);
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
            maxLength,
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

  private void check(Request request) {
    int[] promptIds = request.promptIds();
    checkIds(promptIds);
    if (promptIds.length >= maxLength) {
      throw new IllegalArgumentException(
          "prompt of %d tokens leaves no room to generate: %s"
              .formatted(promptIds.length, roomOfOneSequence()));
    }
    for (Map.Entry<Integer, Float> bias : request.sampling().logitBias().entrySet()) {
      checkId(bias.getKey(), "logit_bias");
    }
    for (int id : request.stop().stopTokenIds()) {
      checkId(id, "stop token");
    }
    if (decoders.isEmpty() && !request.stop().stopStrings().isEmpty()) {
      throw new IllegalArgumentException(
          "stop strings %s need a tokenizer, and this checkpoint has none; use stop token ids"
              .formatted(request.stop().stopStrings()));
    }
  }

  /// Runs the network over `ids` and hands the logits of every position to `sink`, in order; blocks
  /// until all are delivered. Nothing is drawn, so the rows are as the model gives them, broken
  /// values included.
  ///
  /// The text takes part in the engine's KV cache and gets steps of its own, of as many tokens as
  /// the model gives rows of logits, in turn with the steps of running requests. `sink` runs on the
  /// engine thread and must not wait for this engine. A thread that is interrupted here gives up:
  /// it gets a [LlamaException], and `sink` may still see the rows of the step under way.
  ///
  /// @throws IllegalArgumentException if `ids` is empty, has an id outside the vocabulary or does
  ///   not fit into the context or the KV cache
  /// @throws IllegalStateException if the engine is closed, or if called on the engine thread
  /// @throws LlamaException if the model or the sink fails
  public void score(int[] ids, LogitsSink sink) {
    checkIds(ids);
    if (ids.length > maxLength) {
      throw new IllegalArgumentException(
          "text of %d tokens is too long to score: %s".formatted(ids.length, roomOfOneSequence()));
    }
    if (isEngineThread()) {
      throw new IllegalStateException("score was called on the engine thread, which would wait");
    }
    ScoreTask task = new ScoreTask(ids.clone(), sink);
    send(() -> loop.add(task));
    try {
      task.done().get();
    } catch (ExecutionException e) {
      throw new LlamaException(
          "scoring %d tokens failed: %s".formatted(ids.length, e.getCause().getMessage()),
          e.getCause());
    } catch (InterruptedException e) {
      LlamaException interrupted =
          new LlamaException("interrupted while scoring %d tokens".formatted(ids.length), e);
      task.done().completeExceptionally(interrupted);
      Thread.currentThread().interrupt();
      throw interrupted;
    }
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

  private void checkIds(int[] ids) {
    if (ids.length == 0) {
      throw new IllegalArgumentException("the prompt is empty; it needs one token or more");
    }
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] >= vocabSize) {
        throw new IllegalArgumentException(
            "prompt token %d has id %d, outside the vocabulary of %d"
                .formatted(i, ids[i], vocabSize));
      }
    }
  }

  private void checkId(int id, String what) {
    if (id < 0 || id >= vocabSize) {
      throw new IllegalArgumentException(
          "%s %d is outside the vocabulary of %d".formatted(what, id, vocabSize));
    }
  }

  private String roomOfOneSequence() {
    return cache.capacityTokens() < limits.maxContextLength()
        ? "the KV cache has %d tokens (%d blocks of %d); load the model with more blocks"
            .formatted(cache.capacityTokens(), cache.numBlocks(), cache.blockSize())
        : "the context has %d tokens; load the model with a longer one"
            .formatted(limits.maxContextLength());
  }
}
