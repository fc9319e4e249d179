package io.cusco.llama.engine;

import io.cusco.llama.model.StepBatch;
import io.cusco.llama.model.StepLimits;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.SequencedSet;

/// Decides what each step computes.
///
/// There is no prefill phase and no decode phase: a sequence has tokens still to compute, one after
/// each draw, many at its start, and every step has one budget of tokens.
///
/// 1. Running sequences come first, oldest first. If the blocks run out, the newest running
///    sequence gives up all of its own and goes back to the head of the queue; later its prompt and
///    what it has generated are computed again, but for the blocks that the prefix cache still has.
/// 2. What is left of the budget goes to waiting sequences in order of arrival, each admitted once
///    there are blocks for all of its tokens. The last one admitted may get part of its prompt in
///    this step and the rest in later ones. No one is admitted in a step that preempted.
///
/// Blocks that a sequence fills in a step are offered to those admitted after it, in this very
/// step: a model stores a step's keys and values before it reads them. So requests with one prompt
/// that come together, samples above all, have it computed once.
///
/// The oldest sequence always gets what it needs, so everything ends. At most one sequence, the
/// newest, has more than one token to compute when a step begins, and no more run than the budget
/// has tokens, so every running sequence advances in every step, but for those that only wait for
/// their last token.
///
/// A step may be planned while the one before it draws. The tokens being drawn take part in it by
/// their numbers ([StepInput#drawn(int)]); a sequence that turns out to have ended with one is in
/// that step for nothing. Its blocks are free at once: whoever gets them writes to them in a step
/// that is queued later.
///
/// Owned by the engine thread. Source: the scheduler of vLLM V1.
final class Scheduler {
  private final BlockManager blocks;
  private final int maxRunning;
  private final List<Sequence> running = new ArrayList<>();
  private final SequencedSet<Sequence> waiting = new LinkedHashSet<>();
  private final List<Sequence> planned = new ArrayList<>();
  private long promptTokens;
  private long cachedPromptTokens;
  private long preemptions;

  /// @param maxRunning sequences that run at the same time, at most, within the limits
  Scheduler(StepLimits limits, OptionalInt maxRunning, BlockManager blocks) {
    this.blocks = blocks;
    this.maxRunning = maxRunning(limits, maxRunning);
  }

  /// How many sequences run at the same time, at most.
  static int maxRunning(StepLimits limits, OptionalInt wanted) {
    int fit = Math.min(limits.maxSequences(), Math.min(limits.maxLogits(), limits.maxTokens()));
    return Math.min(fit, wanted.orElse(fit));
  }

  /// Puts a new sequence at the end of the queue.
  void add(Sequence sequence) {
    waiting.addLast(sequence);
  }

  /// Takes a sequence out and frees its blocks.
  ///
  /// @return whether it was here
  boolean remove(Sequence sequence) {
    blocks.release(sequence.tokens());
    return running.remove(sequence) || waiting.remove(sequence);
  }

  /// Takes every sequence out, in order of arrival.
  List<Sequence> removeAll() {
    List<Sequence> all = new ArrayList<>(running);
    all.addAll(waiting);
    all.forEach(this::remove);
    return all;
  }

  /// Fills the next step.
  ///
  /// @param admit whether waiting sequences may start
  void plan(StepBatch step, Draws draws, boolean admit) {
    planned.clear();
    boolean preempted = false;
    for (int i = 0; i < running.size(); i++) {
      Sequence sequence = running.get(i);
      if (sequence.awaitsLastToken()) {
        continue;
      }
      CachedTokens tokens = sequence.tokens();
      int count = Math.min(tokens.numRemaining(), step.tokensLeft());
      while (i < running.size() && !blocks.reserve(tokens, tokens.numComputed() + count)) {
        preempt(running.removeLast());
        preempted = true;
      }
      if (i < running.size()) {
        include(sequence, count, step, draws);
      }
    }
    if (admit && !preempted) {
      admit(step, draws);
    }
  }

  private void admit(StepBatch step, Draws draws) {
    while (step.tokensLeft() > 0 && running.size() < maxRunning && !waiting.isEmpty()) {
      Sequence sequence = waiting.getFirst();
      CachedTokens tokens = sequence.tokens();
      if (!blocks.admit(tokens)) {
        return;
      }
      waiting.removeFirst();
      running.add(sequence);
      if (sequence.start()) {
        promptTokens += sequence.promptLength();
        cachedPromptTokens += tokens.numComputed();
      }
      include(sequence, Math.min(tokens.numRemaining(), step.tokensLeft()), step, draws);
    }
  }

  /// A sequence gets logits, and a draw, when the step holds its last token.
  private void include(Sequence sequence, int count, StepBatch step, Draws draws) {
    boolean reachesEnd = count == sequence.tokens().numRemaining();
    int start = sequence.tokens().numComputed();
    step.add(sequence.tokens(), start, count, reachesEnd ? 1 : 0);
    blocks.offer(sequence.tokens(), start + count);
    planned.add(sequence);
    if (reachesEnd) {
      draws.add(sequence);
    }
  }

  private void preempt(Sequence sequence) {
    blocks.release(sequence.tokens());
    waiting.addFirst(sequence);
    preemptions++;
  }

  /// Notes in the sequences of the step planned last that its tokens are computed, or queued to be.
  void advance(StepBatch step) {
    for (int i = 0; i < planned.size(); i++) {
      planned.get(i).tokens().advance(step.numTokens(i));
    }
  }

  /// The step planned last is computed or queued, and noted so in its sequences.
  void confirm() {
    for (int i = 0; i < planned.size(); i++) {
      blocks.confirm(planned.get(i).tokens());
    }
  }

  /// The step planned last failed. Its sequences have to be removed next.
  void revoke() {
    blocks.revoke();
  }

  /// The sequences of the step planned last.
  List<Sequence> planned() {
    return List.copyOf(planned);
  }

  int numRunning() {
    return running.size();
  }

  int numWaiting() {
    return waiting.size();
  }

  long promptTokens() {
    return promptTokens;
  }

  long cachedPromptTokens() {
    return cachedPromptTokens;
  }

  long preemptions() {
    return preemptions;
  }
}
