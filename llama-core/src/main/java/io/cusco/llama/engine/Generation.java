package io.cusco.llama.engine;

import io.cusco.llama.sampling.TokenLogprobs;
import java.util.Iterator;
import java.util.List;

/// The handle of one submitted request: iterate its text as it comes, await the result, cancel.
///
/// One consumer may iterate; any thread may call the other methods. Closing a generation that has
/// not ended cancels it.
public final class Generation implements Iterable<Generation.Piece>, AutoCloseable {

  /// One step of a generation.
  ///
  /// @param tokenId the token drawn
  /// @param text the text it completes; empty while a character or a possible stop string is open
  public record Piece(int tokenId, String text) {}

  /// A finished generation.
  ///
  /// @param promptIds the prompt
  /// @param ids tokens drawn, an end token that stopped it included
  /// @param text the text, cut before a stop string
  /// @param finishReason why it ended
  /// @param logprobs one entry per token, where asked for; otherwise empty
  /// @param timings measured durations
  public record Result(
      List<Integer> promptIds,
      List<Integer> ids,
      String text,
      FinishReason finishReason,
      List<TokenLogprobs> logprobs,
      Timings timings) {}

  /// How long a generation took.
  ///
  /// @param queuedNanos from submission until the first step that held it
  /// @param timeToFirstTokenNanos from submission until its first token
  /// @param decodeNanos from its first token until its last
  public record Timings(long queuedNanos, long timeToFirstTokenNanos, long decodeNanos) {}

  Generation() {}

  /// The pieces as they come; blocks. Throws the failure of a request that failed.
  @Override
  public Iterator<Piece> iterator() {
    return java.util.Collections.emptyIterator();
  }

  /// Waits for the end. Throws the failure of a request that failed.
  public Result await() {
    return new Result(
        List.of(), List.of(), "", FinishReason.ERROR, List.of(), new Timings(0, 0, 0));
  }

  /// Asks the engine to stop; the result has what was generated until then.
  public void cancel() {}

  @Override
  public void close() {
    cancel();
  }
}
