package io.cusco.llama.engine;

import io.cusco.llama.LlamaException;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.sampling.TokenHistory;
import io.cusco.llama.sampling.TokenLogprobs;
import io.cusco.llama.sampling.Uniforms;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.Consumer;

/// One sample of a request on its way: its tokens so far, what has become text, and when to end.
/// Knows nothing of steps and blocks, so preemption leaves it as it is.
///
/// Owned by the engine thread.
final class Sequence {
  private final Submission submission;
  private final int sample;
  private final CachedTokens tokens;
  private final int promptLength;
  private final SamplingParams sampling;
  private final StopConditions stop;
  private final int[] endTokenIds;
  private final TokenHistory history = new TokenHistory();
  private final TextStream stream;
  private final StringBuilder text = new StringBuilder();
  private final List<TokenLogprobs> logprobs = new ArrayList<>();
  private final Generation generation;

  private int cachedPromptTokens;
  private long startedNanos;
  private long firstTokenNanos;
  private long lastTokenNanos;
  private boolean started;
  private boolean ended;

  /// @param sample which of the request's samples it is, from 0
  Sequence(Request request, int sample, PieceDecoder decoder, Submission submission) {
    this.submission = submission;
    this.sample = sample;
    int[] promptIds = request.promptIds();
    this.tokens = new CachedTokens(promptIds);
    this.promptLength = promptIds.length;
    this.startedNanos = submission.nanos();
    this.firstTokenNanos = startedNanos;
    this.lastTokenNanos = startedNanos;
    SamplingParams asked = request.sampling();
    this.sampling =
        sample == 0 ? asked : asked.withSeed(Uniforms.seedOfSample(asked.seed(), sample));
    this.stop = request.stop();
    this.endTokenIds = endTokenIds(stop, submission.endOfGeneration());
    this.stream = new TextStream(decoder, stop.stopStrings());
    this.generation =
        new Generation(submission.requestId(), () -> submission.canceller().accept(this));
    if (sampling.usesHistory()) {
      for (int id : promptIds) {
        history.addPrompt(id);
      }
    }
  }

  /// What the engine adds to a request that it takes; its samples share it.
  ///
  /// @param endOfGeneration the model's own end tokens
  /// @param maxLength tokens a sequence may have, prompt included
  /// @param nanos when it came, in the clock of `System.nanoTime`
  /// @param deadlineNanos when it has to end, if it has to
  /// @param place its place in the queue
  /// @param canceller how a generation, on any thread, asks for the end
  record Submission(
      long requestId,
      int[] endOfGeneration,
      int maxLength,
      long nanos,
      OptionalLong deadlineNanos,
      QueuePlace place,
      Consumer<Sequence> canceller) {}

  long requestId() {
    return submission.requestId();
  }

  int sample() {
    return sample;
  }

  OptionalLong deadlineNanos() {
    return submission.deadlineNanos();
  }

  CachedTokens tokens() {
    return tokens;
  }

  int promptLength() {
    return promptLength;
  }

  /// The request's, with this sample's seed.
  SamplingParams sampling() {
    return sampling;
  }

  TokenHistory history() {
    return history;
  }

  Generation generation() {
    return generation;
  }

  /// Notes that a step is about to hold it; its blocks are reserved.
  ///
  /// @return whether that is the first one
  boolean start() {
    if (started) {
      return false;
    }
    started = true;
    startedNanos = System.nanoTime();
    cachedPromptTokens = tokens.numComputed();
    submission.place().leave();
    return true;
  }

  /// Whether it ends with the token that is being drawn, whichever it is.
  boolean awaitsLastToken() {
    return tokens.numKnown() < tokens.size()
        && (numOutput() + 1 == stop.maxTokens() || tokens.size() == submission.maxLength());
  }

  /// Whether its generation is complete; no more tokens are wanted.
  boolean hasEnded() {
    return ended;
  }

  /// Learns the token that was being drawn and hands its text on.
  ///
  /// @param tokenLogprobs null where not asked for
  /// @return whether it has ended
  boolean accept(int id, TokenLogprobs tokenLogprobs) {
    lastTokenNanos = System.nanoTime();
    if (numOutput() == 0) {
      firstTokenNanos = lastTokenNanos;
    }
    tokens.setLast(id);
    if (sampling.usesHistory()) {
      history.addOutput(id);
    }
    if (tokenLogprobs != null) {
      logprobs.add(tokenLogprobs);
    }
    boolean isEnd = Arrays.binarySearch(endTokenIds, id) >= 0;
    String shown = isEnd ? "" : stream.append(id);
    boolean stopped = isEnd || stream.isStopped();
    boolean isLast =
        stopped || numOutput() == stop.maxTokens() || tokens.size() == submission.maxLength();
    if (isLast) {
      shown += stream.finish();
    }
    text.append(shown);
    generation.publish(new Generation.Piece(id, shown));
    if (isLast) {
      // A stop string may still come to light in the last, unfinished character.
      finish(stopped || stream.isStopped() ? FinishReason.STOP : FinishReason.LENGTH);
    }
    return isLast;
  }

  /// Ends it with what there is.
  void finish(FinishReason reason) {
    ended = true;
    leaveQueue();
    generation.finish(
        new Generation.Result(
            boxed(tokens.ids(0, promptLength)),
            cachedPromptTokens,
            boxed(tokens.ids(promptLength, tokens.numKnown())),
            text.toString(),
            reason,
            List.copyOf(logprobs),
            new Generation.Timings(
                startedNanos - submission.nanos(),
                firstTokenNanos - submission.nanos(),
                lastTokenNanos - firstTokenNanos)));
  }

  void fail(LlamaException failure) {
    ended = true;
    leaveQueue();
    generation.fail(failure);
  }

  private void leaveQueue() {
    if (!started) {
      submission.place().leave();
    }
  }

  private int numOutput() {
    return tokens.numKnown() - promptLength;
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
