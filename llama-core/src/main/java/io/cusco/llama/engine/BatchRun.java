package io.cusco.llama.engine;

import io.cusco.llama.LlamaException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/// The outcomes of many requests, of any number of them; see [Engine#run].
///
/// ```
/// input --pulled when there is room--> [ window: waiting | running | ended ] --next()--> outcomes
/// ```
///
/// The input is read lazily, on the consumer's thread, inside `hasNext` and `next`, and only while
/// the window has room: memory is bounded by the window, and a consumer that stops asking stops the
/// input. What was pulled goes on being computed meanwhile.
///
/// A request that is refused or fails is an outcome and ends nothing. A failure of the input itself
/// (an exception from its iterator, a null), or of the engine, is thrown by `hasNext` after the
/// outcomes of all requests pulled before it.
///
/// Closing cancels what is in the window; nothing is given out after that. One thread uses it.
public final class BatchRun implements Iterator<Outcome>, AutoCloseable {
  private final Iterator<Request> input;
  private final Function<Request, List<Generation>> submit;
  private final int window;
  private final BatchOptions.Order order;

  /// What is in the window, in order of input.
  private final Map<Long, Pending> pending = new LinkedHashMap<>();

  /// The part of the window that has ended, in order of completion; unused in order of input.
  private final LinkedBlockingQueue<Pending> ended = new LinkedBlockingQueue<>();

  private Optional<RuntimeException> inputFailure = Optional.empty();
  private long pulled;
  private boolean closed;

  /// A request in the window.
  ///
  /// @param generations its samples; empty if it was refused
  /// @param refusal why it was, if it was
  /// @param unfinished how many of its samples have not ended
  /// @param end open until none is left
  private record Pending(
      long index,
      Request request,
      List<Generation> generations,
      Optional<IllegalArgumentException> refusal,
      AtomicInteger unfinished,
      CountDownLatch end) {

    void cancel() {
      generations.forEach(Generation::cancel);
    }

    Outcome outcome() {
      if (refusal.isPresent()) {
        return new Outcome.Failed(index, request, refusal.get());
      }
      List<Generation.Result> samples = new ArrayList<>();
      try {
        generations.forEach(each -> samples.add(each.await()));
      } catch (LlamaException e) {
        return new Outcome.Failed(index, request, e);
      }
      return new Outcome.Completed(index, request, samples);
    }
  }

  BatchRun(
      Iterator<Request> input,
      Function<Request, List<Generation>> submit,
      int window,
      BatchOptions.Order order) {
    this.input = input;
    this.submit = submit;
    this.window = window;
    this.order = order;
  }

  /// Whether there is another outcome. Pulls input; does not wait for outcomes.
  ///
  /// @throws RuntimeException what the input threw, once
  @Override
  public boolean hasNext() {
    fill();
    if (!pending.isEmpty()) {
      return true;
    }
    Optional<RuntimeException> failure = inputFailure;
    if (failure.isPresent() && !closed) {
      close();
      throw failure.get();
    }
    return false;
  }

  /// Waits for the next outcome.
  ///
  /// @throws LlamaException if the thread is interrupted; the run is then closed
  @Override
  public Outcome next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the run of %d requests has ended".formatted(pulled));
    }
    try {
      Pending next =
          switch (order) {
            case COMPLETION -> ended.take();
            case INPUT -> awaitFirst();
          };
      pending.remove(next.index());
      return next.outcome();
    } catch (InterruptedException e) {
      close();
      Thread.currentThread().interrupt();
      throw new LlamaException("interrupted while waiting for a run's next outcome", e);
    }
  }

  /// Cancels what is under way; its outcomes are not given out. Idempotent.
  @Override
  public void close() {
    closed = true;
    pending.values().forEach(Pending::cancel);
    pending.clear();
  }

  private Pending awaitFirst() throws InterruptedException {
    Pending first = pending.values().iterator().next();
    first.end().await();
    return first;
  }

  private void fill() {
    while (!closed && inputFailure.isEmpty() && pending.size() < window) {
      try {
        if (!input.hasNext()) {
          return;
        }
        start(input.next());
      } catch (RuntimeException e) {
        inputFailure = Optional.of(e);
      }
    }
  }

  private void start(Request request) {
    List<Generation> generations = List.of();
    Optional<IllegalArgumentException> refusal = Optional.empty();
    try {
      generations = submit.apply(request);
    } catch (IllegalArgumentException e) {
      refusal = Optional.of(e);
    }
    AtomicInteger unfinished = new AtomicInteger(generations.size());
    Pending next =
        new Pending(pulled++, request, generations, refusal, unfinished, new CountDownLatch(1));
    pending.put(next.index(), next);
    if (generations.isEmpty()) {
      announce(next);
    }
    generations.forEach(each -> each.onEnd(reason -> sampleEnded(next, reason)));
  }

  /// Runs on the engine thread, or on the consumer's for what had ended at once.
  private void sampleEnded(Pending next, FinishReason reason) {
    if (reason == FinishReason.ERROR) {
      next.cancel();
    }
    if (next.unfinished().decrementAndGet() == 0) {
      announce(next);
    }
  }

  private void announce(Pending next) {
    next.end().countDown();
    if (order == BatchOptions.Order.COMPLETION) {
      ended.add(next);
    }
  }
}
