package io.cusco.llama.engine;

import io.cusco.llama.LlamaException;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.tokenizer.Tokenizer;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;

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
/// request alone, not on what else is in the batch.
///
/// All methods are safe to call from any thread.
public final class Engine implements AutoCloseable {
  private final int vocabSize;
  private final StepLimits limits;
  private final KvCacheSpec cache;
  private final int maxLength;
  private final int[] endOfGeneration;
  private final Optional<Supplier<PieceDecoder>> decoders;
  private final AtomicLong lastRequestId = new AtomicLong();
  private final Inbox inbox = new Inbox();
  private final EngineLoop loop;
  private final Thread thread;

  /// Takes over `model`: it is used on the engine thread only, and closed there by [#close()].
  ///
  /// @param tokenizer decodes text; without one, generations have ids only and stop strings are
  ///   refused
  /// @param endOfGeneration tokens that end a generation unless it ignores them
  public Engine(LlamaModel model, Optional<Tokenizer> tokenizer, List<Integer> endOfGeneration) {
    this(endOfGeneration, model, tokenizer.map(known -> () -> PieceDecoder.of(known)));
  }

  Engine(
      List<Integer> endOfGeneration, LlamaModel model, Optional<Supplier<PieceDecoder>> decoders) {
    this.vocabSize = model.config().vocabSize();
    this.limits = model.limits();
    this.cache = model.kvCache();
    this.maxLength = (int) Math.min(limits.maxContextLength(), cache.capacityTokens());
    this.endOfGeneration = endOfGeneration.stream().mapToInt(Integer::intValue).toArray();
    this.decoders = decoders;
    this.loop = new EngineLoop(model, inbox);
    this.thread = Thread.ofPlatform().daemon().name("cusco-engine").unstarted(loop);
    thread.start();
  }

  /// Queues a request.
  ///
  /// @throws IllegalArgumentException if the request can never run: empty prompt, an id outside the
  ///   vocabulary, a prompt that leaves no room for a token in the context or the KV cache, stop
  ///   strings without a tokenizer
  /// @throws IllegalStateException if the engine is closed
  public Generation submit(Request request) {
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
    AtomicReference<Sequence> created = new AtomicReference<>();
    Generation generation =
        new Generation(
            lastRequestId.incrementAndGet(), () -> inbox.offer(() -> loop.cancel(created.get())));
    PieceDecoder decoder = decoders.map(Supplier::get).orElseGet(PieceDecoder::silent);
    Sequence sequence = new Sequence(request, endOfGeneration, maxLength, decoder, generation);
    created.set(sequence);
    send(() -> loop.add(sequence));
    return generation;
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
    if (thread.equals(Thread.currentThread())) {
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
    if (thread.equals(Thread.currentThread())) {
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
