package io.cusco.llama.engine;

import io.cusco.llama.LlamaException;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedTransferQueue;
import java.util.function.Consumer;

/// The handle of one submitted request: iterate its text as it comes, await the result, cancel.
///
/// One consumer may iterate; any thread may call the other methods. Pieces that nobody reads are
/// kept, never more than the request's token limit, so an abandoned generation holds up nobody.
/// Closing a generation that has not ended cancels it. A thread that is interrupted while it waits
/// here gets a [LlamaException], and the request is cancelled.
public final class Generation implements Iterable<Generation.Piece>, AutoCloseable {

  /// One token of a generation.
  ///
  /// @param tokenId the token drawn
  /// @param text the text it completes; empty while a character or a possible stop string is open
  public record Piece(int tokenId, String text) {}

  /// A finished generation.
  ///
  /// @param promptIds the prompt
  /// @param cachedPromptTokens how many tokens of the prompt were found in the prefix cache
  /// @param ids tokens drawn, in order; an end token that stopped it is the last
  /// @param text the text of all pieces: without end tokens, cut before a stop string
  /// @param finishReason why it ended
  /// @param logprobs one entry per token, where asked for; otherwise empty
  /// @param timings measured durations
  public record Result(
      List<Integer> promptIds,
      int cachedPromptTokens,
      List<Integer> ids,
      String text,
      FinishReason finishReason,
      List<TokenLogprobs> logprobs,
      Timings timings) {}

  /// How long a generation took; 0 for what it did not reach.
  ///
  /// @param queuedNanos from submission until the first step that held it
  /// @param timeToFirstTokenNanos from submission until its first token
  /// @param decodeNanos from its first token until its last
  public record Timings(long queuedNanos, long timeToFirstTokenNanos, long decodeNanos) {}

  /// No token has this id. Stays in the queue once it is there.
  private static final Piece END = new Piece(-1, "");

  private final long requestId;
  private final Runnable askToCancel;
  private final LinkedTransferQueue<Piece> pieces = new LinkedTransferQueue<>();
  private final CompletableFuture<Result> outcome = new CompletableFuture<>();

  Generation(long requestId, Runnable askToCancel) {
    this.requestId = requestId;
    this.askToCancel = askToCancel;
  }

  /// The pieces as they come; blocks. Each piece is given out once, to whichever iterator asks
  /// first.
  ///
  /// @throws LlamaException from `hasNext` or `next`, if the request failed
  @Override
  public Iterator<Piece> iterator() {
    return new PieceIterator();
  }

  /// Waits for the end.
  ///
  /// @throws LlamaException if the request failed
  public Result await() {
    try {
      return outcome.get();
    } catch (ExecutionException e) {
      throw new LlamaException(e.getCause().getMessage(), e.getCause());
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  /// The result once it is there; completes exceptionally with a [LlamaException] if the request
  /// failed. Stages that depend on it never run on the engine thread. Cancelling the future cancels
  /// the generation.
  public CompletableFuture<Result> future() {
    return Handover.of(outcome, this::cancel);
  }

  /// Why it ended; empty while it has not.
  public Optional<FinishReason> finishReason() {
    return switch (outcome.state()) {
      case RUNNING -> Optional.empty();
      case SUCCESS -> Optional.of(outcome.resultNow().finishReason());
      case FAILED, CANCELLED -> Optional.of(FinishReason.ERROR);
    };
  }

  /// Asks the engine to stop at the next step; the result has what was generated until then. Does
  /// nothing if the generation has ended.
  public void cancel() {
    if (!outcome.isDone()) {
      askToCancel.run();
    }
  }

  @Override
  public void close() {
    cancel();
  }

  /// Has `listener` told why it ended: on the engine thread, so it must not wait, or at once if
  /// that is past.
  void onEnd(Consumer<FinishReason> listener) {
    CompletableFuture<Result> _ =
        outcome.whenComplete((result, failure) ->
            listener.accept(failure == null ? result.finishReason() : FinishReason.ERROR));
  }

  void publish(Piece piece) {
    pieces.add(piece);
  }

  void finish(Result result) {
    outcome.complete(result);
    pieces.add(END);
  }

  void fail(LlamaException failure) {
    outcome.completeExceptionally(failure);
    pieces.add(END);
  }

  private LlamaException interrupted(InterruptedException cause) {
    cancel();
    Thread.currentThread().interrupt();
    return new LlamaException(
        "interrupted while waiting for request %d, which is cancelled".formatted(requestId), cause);
  }

  private final class PieceIterator implements Iterator<Piece> {
    private Optional<Piece> next = Optional.empty();

    @Override
    public boolean hasNext() {
      if (next.isPresent()) {
        return true;
      }
      Piece piece;
      try {
        piece = pieces.take();
      } catch (InterruptedException e) {
        throw interrupted(e);
      }
      if (piece.equals(END)) {
        pieces.add(END);
        if (outcome.isCompletedExceptionally()) {
          await();
        }
        return false;
      }
      next = Optional.of(piece);
      return true;
    }

    @Override
    public Piece next() {
      if (!hasNext()) {
        throw new NoSuchElementException("request %d has no more pieces".formatted(requestId));
      }
      Piece piece = next.orElseThrow();
      next = Optional.empty();
      return piece;
    }
  }
}
