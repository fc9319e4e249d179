package io.cusco.llama.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepBatch;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.Test;

class SchedulerTest {
  private BlockManager blocks;
  private Scheduler scheduler;
  private StepBatch step;
  private Draws draws;

  private void setUp(StepLimits limits, int blockSize, int numBlocks) {
    setUp(limits, blockSize, numBlocks, false);
  }

  private void setUp(StepLimits limits, int blockSize, int numBlocks, boolean shares) {
    KvCacheSpec cache = new KvCacheSpec(blockSize, numBlocks);
    blocks = new BlockManager(cache, shares);
    scheduler = new Scheduler(limits, OptionalInt.empty(), blocks);
    step = new StepBatch(limits, cache);
    draws = new Draws(limits.maxLogits());
  }

  @Test
  void aStepIsLaidOutAsStepInputSays() {
    setUp(new StepLimits(7, 3, 3, 16), 4, 8);
    Sequence first = add(10, 11, 12, 13, 14);
    Sequence second = add(20);
    Sequence third = add(30, 31, 32);

    plan(true);

    assertThat(scheduler.planned()).containsExactly(first, second, third);
    assertThat(step.numTokens()).isEqualTo(7);
    assertThat(step.tokenIds()).containsExactly(10, 11, 12, 13, 14, 20, 30);
    assertThat(step.positions()).containsExactly(0, 1, 2, 3, 4, 0, 0);
    assertThat(step.slotMapping()).containsExactly(0, 1, 2, 3, 4, 8, 12);
    assertThat(step.queryStarts()).containsExactly(0, 5, 6, 7);
    assertThat(step.contextLengths()).containsExactly(5, 1, 1);
    assertThat(step.blockTableStride()).isEqualTo(4);
    assertThat(step.blockTables()).containsExactly(0, 1, -1, -1, 2, -1, -1, -1, 3, -1, -1, -1);
    assertThat(step.numLogits()).isEqualTo(2);
    assertThat(step.logitTokens()).startsWith(4, 5);
    assertThat(step.isDecodeOnly()).isFalse();
    assertThat(draws.size()).isEqualTo(2);

    draw();
    plan(true);

    assertThat(step.numTokens()).isEqualTo(4);
    assertThat(Arrays.copyOf(step.tokenIds(), 4)).containsExactly(0, 0, 31, 32);
    assertThat(Arrays.copyOf(step.positions(), 4)).containsExactly(5, 1, 1, 2);
    assertThat(Arrays.copyOf(step.slotMapping(), 4)).containsExactly(5, 9, 13, 14);
    assertThat(step.contextLengths()).containsExactly(6, 2, 3);
    assertThat(step.logitTokens()).startsWith(0, 1, 3);
  }

  @Test
  void runningSequencesGoOnWhileALongPromptIsComputedInChunks() {
    setUp(new StepLimits(4, 4, 4, 64), 4, 64);
    Sequence chat = add(1);
    plan(true);
    draw();
    Sequence longPrompt = add(new int[7]);
    Sequence next = add(2);
    plan(true);
    assertThat(scheduler.planned()).containsExactly(chat, longPrompt);
    assertThat(draws.size()).isEqualTo(1);
    draw();
    plan(true);
    assertThat(scheduler.planned()).containsExactly(chat, longPrompt);
    draw();
    plan(true);
    assertThat(scheduler.planned()).containsExactly(chat, longPrompt, next);
    assertThat(draws.size()).isEqualTo(3);
  }

  @Test
  void theNewestGivesUpItsBlocksAndComesBackFirst() {
    setUp(new StepLimits(8, 4, 4, 16), 1, 6);
    Sequence oldest = add(1, 1);
    Sequence middle = add(2);
    Sequence newest = add(3);
    Sequence waiting = add(4, 4, 4, 4, 4);
    plan(true);
    assertThat(scheduler.planned()).containsExactly(oldest, middle, newest);
    draw();
    // Three blocks are wanted, two are free: the last one goes without, for itself.
    plan(true);
    assertThat(scheduler.planned()).containsExactly(oldest, middle);
    assertThat(scheduler.preemptions()).isEqualTo(1);
    assertThat(newest.tokens().numComputed()).isZero();
    assertThat(newest.tokens().size()).isEqualTo(2);
    assertThat(blocks.numUsed()).isEqualTo(5);
    draw();
    plan(true);
    // The oldest takes the last block; for its own, the middle one has to give way.
    assertThat(scheduler.planned()).containsExactly(oldest);
    assertThat(scheduler.preemptions()).isEqualTo(2);
    draw();

    assertThat(scheduler.remove(oldest)).isTrue();
    assertThat(scheduler.remove(oldest)).isFalse();
    plan(true);
    // In the order of arrival; all that they had is computed again, and what was drawn stays.
    assertThat(scheduler.planned()).containsExactly(middle, newest);
    assertThat(Arrays.copyOf(step.tokenIds(), step.numTokens())).containsExactly(2, 0, 0, 3, 0);
    assertThat(scheduler.promptTokens()).isEqualTo(4);
    assertThat(scheduler.removeAll()).containsExactly(middle, newest, waiting);
    assertThat(blocks.numUsed()).isZero();
  }

  @Test
  void noOneIsAdmittedThatCannotAdvanceInEveryStep() {
    setUp(new StepLimits(3, 9, 9, 16), 1, 64);
    List.of(1, 2, 3, 4, 5).forEach(this::add);
    plan(true);
    assertThat(scheduler.numRunning()).isEqualTo(3);
    assertThat(scheduler.numWaiting()).isEqualTo(2);
    setUp(new StepLimits(9, 9, 2, 16), 1, 64);
    List.of(1, 2, 3, 4, 5).forEach(this::add);
    plan(true);
    assertThat(scheduler.numRunning()).isEqualTo(2);
  }

  @Test
  void noOneIsAdmittedWhenToldSo() {
    setUp(new StepLimits(3, 9, 9, 16), 1, 64);
    add(1);
    plan(false);
    assertThat(step.numSequences()).isZero();
    assertThat(scheduler.numWaiting()).isEqualTo(1);
  }

  @Test
  void aPromptThatComesSeveralTimesIsComputedOnce() {
    setUp(new StepLimits(8, 4, 4, 64), 2, 64, true);
    Sequence first = add(1, 2, 3, 4, 5, 6, 7, 8, 9);
    Sequence second = add(1, 2, 3, 4, 5, 6, 7, 8, 9);
    Sequence third = add(1, 2, 3, 4, 0);
    plan(true);
    assertThat(scheduler.planned()).containsExactly(first);
    draw();
    // The first one ends its prompt; the others take over all of its full blocks in the same step.
    plan(true);
    assertThat(scheduler.planned()).containsExactly(first, second, third);
    assertThat(Arrays.copyOf(step.tokenIds(), step.numTokens())).containsExactly(9, 9, 0);
    assertThat(Arrays.copyOf(step.positions(), step.numTokens())).containsExactly(8, 8, 4);
    assertThat(second.tokens().block(3)).isEqualTo(first.tokens().block(3));
    assertThat(second.tokens().block(4)).isNotEqualTo(first.tokens().block(4));
    assertThat(third.tokens().block(1)).isEqualTo(first.tokens().block(1));
    assertThat(blocks.numUsed()).isEqualTo(4 + 3);
    assertThat(scheduler.promptTokens()).isEqualTo(9 + 9 + 5);
    assertThat(scheduler.cachedPromptTokens()).isEqualTo(8 + 4);
    draw();
    // Both draw token 0 after it, fill their blocks with it, and end up with one.
    plan(true);
    draw();
    assertThat(second.tokens().block(4)).isEqualTo(first.tokens().block(4));
    assertThat(scheduler.removeAll()).hasSize(3);
    assertThat(blocks.numUsed()).isZero();
    assertThat(blocks.numCached()).isEqualTo(6);
  }

  @Test
  void aSequenceThatWasPreemptedFindsItsBlocksAgain() {
    setUp(new StepLimits(8, 4, 4, 64), 2, 6, true);
    Sequence oldest = add(1, 2, 3);
    Sequence newest = add(4, 5, 6, 7, 8);
    plan(true);
    draw();
    plan(true);
    draw();
    // The oldest wants a third block; the newest, with three, gives way.
    plan(true);
    draw();
    plan(true);
    assertThat(scheduler.preemptions()).isEqualTo(1);
    assertThat(newest.tokens().numComputed()).isZero();
    draw();
    assertThat(scheduler.remove(oldest)).isTrue();
    plan(true);
    assertThat(scheduler.planned()).containsExactly(newest);
    assertThat(newest.tokens().numComputed()).isPositive();
    assertThat(scheduler.promptTokens()).isEqualTo(8);
    assertThat(scheduler.cachedPromptTokens()).isZero();
  }

  @Test
  void aStepIsPlannedWhileTheOneBeforeItDraws() {
    setUp(new StepLimits(8, 4, 4, 64), 2, 64, true);
    Sequence first = add(1, 2, 3);
    plan(true);
    queue();
    Sequence second = add(1, 2, 3, 7);
    plan(true);
    assertThat(scheduler.planned()).containsExactly(first, second);
    assertThat(Arrays.copyOf(step.tokenIds(), step.numTokens()))
        .containsExactly(StepInput.drawn(0), 3, 7);
    assertThat(Arrays.copyOf(step.positions(), step.numTokens())).containsExactly(3, 2, 3);
    assertThat(first.tokens().numKnown()).isEqualTo(3);
    // What the step fills is shared as soon as it is known, and not before.
    scheduler.advance(step);
    scheduler.confirm();
    assertThat(first.tokens().numShared()).isEqualTo(1);
    first.accept(7, null);
    scheduler.confirm();
    assertThat(first.tokens().numShared()).isEqualTo(2);
    assertThat(second.tokens().block(1)).isEqualTo(first.tokens().block(1));
  }

  @Test
  void aSequenceThatOnlyWaitsForItsLastTokenIsNotPlanned() {
    setUp(new StepLimits(8, 4, 4, 64), 4, 2);
    Sequence last = add(StopConditions.maxTokens(1), 1, 2, 3, 4);
    Sequence other = add(5, 6);
    plan(true);
    queue();
    plan(true);
    assertThat(scheduler.planned()).containsExactly(other);
    assertThat(scheduler.numRunning()).isEqualTo(2);
    // One that loses its blocks meanwhile ends all the same.
    assertThat(last.awaitsLastToken()).isTrue();
    assertThat(last.accept(9, null)).isTrue();
    assertThat(last.hasEnded()).isTrue();
    assertThat(scheduler.remove(last)).isTrue();
  }

  @Test
  void drawsOfSequencesThatHaveEndedAreLeftOut() {
    setUp(new StepLimits(8, 4, 4, 64), 4, 8);
    Sequence first = add(1);
    Sequence second = add(2);
    Sequence third = add(3);
    plan(true);
    second.finish(FinishReason.CANCELLED);
    assertThat(draws.dropEnded()).isEqualTo(1);
    assertThat(draws.size()).isEqualTo(2);
    assertThat(draws.sequence(0)).isEqualTo(first);
    assertThat(draws.sequence(1)).isEqualTo(third);
    assertThat(draws.logitsRow(1)).isEqualTo(2);
  }

  private Sequence add(int... prompt) {
    return add(StopConditions.maxTokens(100), prompt);
  }

  private Sequence add(StopConditions stop, int... prompt) {
    Request request = new Request(prompt, SamplingParams.GREEDY, stop);
    Sequence sequence =
        new Sequence(
            request,
            0,
            PieceDecoder.silent(),
            new Sequence.Submission(
                1,
                new int[0],
                1000,
                0,
                OptionalLong.empty(),
                new QueuePlace(new Semaphore(0), 1),
                cancelled -> {}));
    scheduler.add(sequence);
    return sequence;
  }

  private void plan(boolean admit) {
    step.clear();
    draws.begin();
    scheduler.plan(step, draws, admit);
  }

  /// The step is under way, and so are its draws.
  private void queue() {
    scheduler.advance(step);
    scheduler.confirm();
    draws.appendDrawn();
  }

  /// The step is computed, and every draw gives token 0.
  private void draw() {
    scheduler.advance(step);
    scheduler.confirm();
    draws.appendDrawn();
    for (int i = 0; i < draws.size(); i++) {
      draws.sequence(i).accept(0, null);
    }
  }
}
