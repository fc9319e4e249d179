package io.cusco.llama.engine;

import io.cusco.llama.LlamaException;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.sampling.TokenHistory;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// One request on its way: its tokens so far, what has become text, and when to end. Knows nothing
/// of steps and blocks, so preemption leaves it as it is.
///
/// Owned by the engine thread.
final class Sequence {
  private final CachedTokens tokens;
  private final int promptLength;
  private final SamplingParams sampling;
  private final StopConditions stop;
  private final int[] endTokenIds;
  private final int maxLength;
  private final TokenHistory history = new TokenHistory();
  private final TextStream stream;
  private final StringBuilder text = new StringBuilder();
  private final List<TokenLogprobs> logprobs = new ArrayList<>();
  private final Generation generation;

  private final long submittedNanos = System.nanoTime();
  private long startedNanos = submittedNanos;
  private long firstTokenNanos = submittedNanos;
  private long lastTokenNanos = submittedNanos;
  private boolean started;

  /// @param endOfGeneration the model's own end tokens
  /// @param maxLength tokens it may have, prompt included
  Sequence(
      Request request,
      int[] endOfGeneration,
      int maxLength,
      PieceDecoder decoder,
      Generation generation) {
    int[] promptIds = request.promptIds();
    this.tokens = new CachedTokens(promptIds);
    this.promptLength = promptIds.length;
    this.sampling = request.sampling();
    this.stop = request.stop();
    this.endTokenIds = endTokenIds(stop, endOfGeneration);
    this.maxLength = maxLength;
    this.stream = new TextStream(decoder, stop.stopStrings());
    this.generation = generation;
    if (sampling.usesHistory()) {
      for (int id : promptIds) {
        history.addPrompt(id);
      }
    }
  }

  CachedTokens tokens() {
    return tokens;
  }

  int promptLength() {
    return promptLength;
  }

  SamplingParams sampling() {
    return sampling;
  }

  TokenHistory history() {
    return history;
  }

  Generation generation() {
    return generation;
  }

  /// Notes that a step is about to hold it.
  ///
  /// @return whether that is the first one
  boolean start() {
    if (started) {
      return false;
    }
    started = true;
    startedNanos = System.nanoTime();
    return true;
  }

  /// Takes the token that was drawn and hands its text on.
  ///
  /// @param tokenLogprobs null where not asked for
  /// @return whether it has ended
  boolean accept(int id, TokenLogprobs tokenLogprobs) {
    lastTokenNanos = System.nanoTime();
    if (numOutput() == 0) {
      firstTokenNanos = lastTokenNanos;
    }
    tokens.append(id);
    if (sampling.usesHistory()) {
      history.addOutput(id);
    }
    if (tokenLogprobs != null) {
      logprobs.add(tokenLogprobs);
    }
    boolean isEnd = Arrays.binarySearch(endTokenIds, id) >= 0;
    String shown = isEnd ? "" : stream.append(id);
    boolean stopped = isEnd || stream.isStopped();
    boolean ended = stopped || numOutput() == stop.maxTokens() || tokens.size() == maxLength;
    if (ended) {
      shown += stream.finish();
    }
    text.append(shown);
    generation.publish(new Generation.Piece(id, shown));
    if (ended) {
      // A stop string may still come to light in the last, unfinished character.
      finish(stopped || stream.isStopped() ? FinishReason.STOP : FinishReason.LENGTH);
    }
    return ended;
  }

  /// Ends it with what there is.
  void finish(FinishReason reason) {
    generation.finish(
        new Generation.Result(
            boxed(tokens.ids(0, promptLength)),
            boxed(tokens.ids(promptLength, tokens.size())),
            text.toString(),
            reason,
            List.copyOf(logprobs),
            new Generation.Timings(
                startedNanos - submittedNanos,
                firstTokenNanos - submittedNanos,
                lastTokenNanos - firstTokenNanos)));
  }

  void fail(LlamaException failure) {
    generation.fail(failure);
  }

  private int numOutput() {
    return tokens.size() - promptLength;
  }

  private static int[] endTokenIds(StopConditions stop, int[] endOfGeneration) {
    int[] ids = stop.stopTokenIds().stream().mapToInt(Integer::intValue).toArray();
    if (!stop.ignoreEos()) {
      int requested = ids.length;
      ids = Arrays.copyOf(ids, requested + endOfGeneration.length);
      System.arraycopy(endOfGeneration, 0, ids, requested, endOfGeneration.length);
    }
    Arrays.sort(ids);
    return ids;
  }

  private static List<Integer> boxed(int[] ids) {
    return Arrays.stream(ids).boxed().toList();
  }
}
