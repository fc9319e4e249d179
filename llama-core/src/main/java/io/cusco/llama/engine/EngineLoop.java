package io.cusco.llama.engine;

import io.cusco.llama.LlamaException;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StepBatch;
import io.cusco.llama.model.StepLimits;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What the engine thread does: run commands, run a step, hand out what was drawn, again; park when
/// there is nothing to compute and nothing to read. The only code that touches the model, the
/// blocks and the sequences.
final class EngineLoop implements Runnable {
  private static final Logger LOG = LoggerFactory.getLogger(EngineLoop.class);

  private final LlamaModel model;
  private final Inbox inbox;
  private final int vocabSize;
  private final StepLimits limits;
  private final BlockManager blocks;
  private final Scheduler scheduler;
  private final StepBatch step;
  private final boolean overlaps;
  private final int[] nextTokenIds;
  private final float[] logits;
  private final ReadSteps reads;
  private final Deadlines deadlines = new Deadlines();
  private final TokenRate rate = new TokenRate(System.nanoTime());

  /// Those whose tokens have to be read; none if nothing is being drawn.
  private Draws draws;

  /// Those of the step that is being planned.
  private Draws nextDraws;

  /// The value of [#steps] when the draws were started: the logits are there until the next step.
  private long drawnAfterSteps;

  private long steps;
  private long generatedTokens;
  private long discardedTokens;
  private volatile EngineStats stats;
  private volatile Optional<LlamaException> breakdown = Optional.empty();

  EngineLoop(LlamaModel model, EngineOptions options, Inbox inbox) {
    this.model = model;
    this.inbox = inbox;
    this.vocabSize = model.config().vocabSize();
    this.limits = model.limits();
    this.blocks = new BlockManager(model.kvCache(), options.prefixCache());
    this.scheduler = new Scheduler(limits, options.maxRunning(), blocks);
    this.step = new StepBatch(limits, model.kvCache());
    this.reads = new ReadSteps(model, blocks, step);
    this.overlaps = options.overlap() && model.overlapsSteps();
    this.draws = new Draws(limits.maxLogits());
    this.nextDraws = new Draws(limits.maxLogits());
    this.nextTokenIds = new int[limits.maxLogits()];
    this.logits = new float[vocabSize];
    this.stats = currentStats();
  }

  /// Safe to call from any thread.
  EngineStats stats() {
    EngineStats current = stats;
    return current.withRate(rate.at(System.nanoTime(), current.generatedTokens()));
  }

  /// What ended the thread, if it was not [Inbox#close()].
  Optional<LlamaException> breakdown() {
    return breakdown;
  }

  /// Command: queues a sequence.
  void add(Sequence sequence) {
    scheduler.add(sequence);
    deadlines.add(sequence);
  }

  /// Command: ends a sequence, unless it has ended.
  void cancel(Sequence sequence) {
    if (remove(sequence)) {
      sequence.finish(FinishReason.CANCELLED);
    }
  }

  /// Command: queues a text to read.
  void add(ReadTask<?> task) {
    reads.add(task);
  }

  @Override
  public void run() {
    try {
      while (!inbox.isClosed()) {
        inbox.runAll();
        endWhatIsDue();
        boolean worked = runStep();
        stats = currentStats();
        rate.markNowAndThen(System.nanoTime(), generatedTokens);
        if (!worked) {
          rate.mark(System.nanoTime(), generatedTokens);
          inbox.await();
          rate.mark(System.nanoTime(), generatedTokens);
        }
      }
    } catch (RuntimeException | Error e) {
      // Out of memory, a missing class, a fault in here: whoever waits must hear of it.
      LOG.error("the engine stops", e);
      breakdown = Optional.of(new LlamaException("the engine stopped: " + e, e));
    } finally {
      shutDown();
    }
  }

  private void endWhatIsDue() {
    for (Optional<Sequence> due = deadlines.pollDue(); due.isPresent(); due = deadlines.pollDue()) {
      remove(due.get());
      due.get().finish(FinishReason.TIMEOUT);
    }
  }

  /// @return whether it was here
  private boolean remove(Sequence sequence) {
    deadlines.remove(sequence);
    return scheduler.remove(sequence);
  }

  private boolean runStep() {
    boolean read = reads.runStep();
    steps += read ? 1 : 0;
    // A text that waits for blocks gets them as running sequences end; new ones would take them.
    boolean admit = read || reads.isEmpty();
    return generate(admit) || read;
  }

  /// One step for all sequences. With a model that overlaps steps:
  ///
  /// ```
  /// host    plan n+1 | forward n+1 | await n, texts, ends | start n+1 | plan n+2 | forward n+2 | ...
  /// device  ... step n .... draw n | ........ step n+1 .............. draw n+1 | ... step n+2 ...
  /// ```
  ///
  /// The device has step n+1 before the tokens of step n are read, and what the draws of step n+1
  /// need of these (penalties, above all) is known in time. Otherwise tokens are read at once.
  ///
  /// @return whether there was anything to do
  private boolean generate(boolean admit) {
    step.clear();
    nextDraws.begin();
    scheduler.plan(step, nextDraws, admit);
    if (step.numSequences() == 0) {
      return readTokens() || scheduler.numRunning() + scheduler.numWaiting() > 0;
    }
    try {
      model.forward(step);
    } catch (RuntimeException e) {
      readTokens();
      failStep(e);
      return true;
    }
    steps++;
    scheduler.advance(step);
    readTokens();
    scheduler.confirm();
    startDraws();
    return true;
  }

  private void startDraws() {
    discardedTokens += nextDraws.dropEnded();
    if (nextDraws.size() == 0) {
      return;
    }
    try {
      model.startSampling(nextDraws);
    } catch (RuntimeException e) {
      failStep(e);
      return;
    }
    nextDraws.appendDrawn();
    drawnAfterSteps = steps;
    Draws read = draws;
    draws = nextDraws;
    nextDraws = read;
    if (!overlaps) {
      readTokens();
    }
  }

  /// @return whether there were any
  private boolean readTokens() {
    int count = draws.size();
    if (count == 0) {
      return false;
    }
    try {
      model.awaitTokens(draws, nextTokenIds);
      for (int i = 0; i < count; i++) {
        if (!draws.sequence(i).hasEnded()) {
          accept(i);
        }
      }
    } catch (RuntimeException e) {
      LOG.warn("{} draws failed: {}", count, e.toString());
      for (int i = 0; i < count; i++) {
        failModel(draws.sequence(i), "drawing for %d sequences".formatted(count), e);
      }
    }
    draws.begin();
    return true;
  }

  private void accept(int draw) {
    Sequence sequence = draws.sequence(draw);
    int position = sequence.tokens().numKnown();
    int id = nextTokenIds[draw];
    try {
      if (id < 0 || id >= vocabSize) {
        throw new LlamaException(
            steps == drawnAfterSteps ? whyNoToken(draws.logitsRow(draw), id) : noTokenLater(id));
      }
      generatedTokens++;
      if (sequence.accept(id, draws.logprobs(draw))) {
        remove(sequence);
      }
    } catch (RuntimeException e) {
      String message =
          "request %d, position %d: %s".formatted(sequence.requestId(), position, reason(e));
      fail(sequence, new LlamaException(message, e));
    }
  }

  private void failStep(RuntimeException cause) {
    LOG.warn(
        "a step of {} tokens in {} sequences failed: {}",
        step.numTokens(),
        step.numSequences(),
        cause.toString());
    scheduler.revoke();
    String what =
        "a step of %d tokens in %d sequences".formatted(step.numTokens(), step.numSequences());
    for (Sequence sequence : scheduler.planned()) {
      failModel(sequence, what, cause);
    }
  }

  private void failModel(Sequence sequence, String what, RuntimeException cause) {
    if (!sequence.hasEnded()) {
      String message =
          "request %d: the model failed in %s: %s"
              .formatted(sequence.requestId(), what, reason(cause));
      fail(sequence, new LlamaException(message, cause));
    }
  }

  /// Messages of our own stand alone; of others' the type is half of what they say.
  private static String reason(RuntimeException cause) {
    return cause instanceof LlamaException ? cause.getMessage() : cause.toString();
  }

  private void fail(Sequence sequence, LlamaException failure) {
    remove(sequence);
    sequence.fail(failure);
  }

  private String whyNoToken(int row, int id) {
    model.copyLogits(row, logits);
    boolean anyFinite = false;
    for (int i = 0; i < vocabSize; i++) {
      if (Float.isNaN(logits[i]) || logits[i] == Float.POSITIVE_INFINITY) {
        return "logit %d of %d is %s; the weights hold values that are not finite, or the"
                .formatted(i, vocabSize, logits[i])
            + " arithmetic overflowed: check the file, or use the exact compute mode";
      }
      anyFinite |= Float.isFinite(logits[i]);
    }
    if (!anyFinite) {
      return "all %d logits are minus infinity: check the file".formatted(vocabSize);
    }
    return "no token can be drawn from %d finite logits (got id %d); does logit_bias ban them all?"
        .formatted(vocabSize, id);
  }

  /// For when the next step has overwritten the logits.
  private static String noTokenLater(int id) {
    return "no token can be drawn (got id %d): logits are not finite, or logit_bias bans all tokens;"
            .formatted(id)
        + " with overlapping steps turned off the message says which";
  }

  private EngineStats currentStats() {
    return new EngineStats(
        scheduler.numRunning() + reads.numStarted(),
        scheduler.numWaiting() + reads.numWaiting(),
        blocks.numUsed(),
        blocks.numCached(),
        blocks.numBlocks(),
        scheduler.promptTokens(),
        scheduler.cachedPromptTokens(),
        generatedTokens,
        steps,
        scheduler.preemptions(),
        discardedTokens,
        0);
  }

  /// Ends everything that is under way, also what came in last, and frees the model.
  private void shutDown() {
    inbox.close();
    inbox.runAll();
    List<Sequence> rest = scheduler.removeAll();
    Optional<LlamaException> failure = breakdown;
    for (Sequence sequence : rest) {
      failure.ifPresentOrElse(sequence::fail, () -> sequence.finish(FinishReason.CANCELLED));
    }
    reads.close(failure.orElseGet(() -> new LlamaException("the engine was closed")));
    stats = currentStats();
    try {
      model.close();
    } catch (RuntimeException e) {
      LOG.error("closing the model failed", e);
    }
  }
}
