package io.cusco.llama.engine;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.OutputHead;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.sampling.Sampler;
import io.cusco.llama.sampling.SamplingStep;
import java.util.Arrays;
import java.util.BitSet;
import java.util.concurrent.atomic.AtomicInteger;

/// A model whose logits are a hash of everything before them. The slots of its paged cache hold a
/// key per token that depends on the token and on the key before it, as those of a real model
/// depend on all earlier tokens, and logits are a hash of all keys, read back through the block
/// tables: a wrong slot, position or table, a block that holds the same tokens after others, or one
/// that was reused, gives other tokens. It also checks every promise that [StepInput] makes.
class FakeLlama implements LlamaModel {
  private static final int EMPTY = -1;
  private static final long FIRST_KEY = 17;

  private final LlamaConfig config;
  private final StepLimits limits;
  private final KvCacheSpec cache;
  private final int[] slots;
  private final long[] keys;
  private final float[][] logits;
  private final float[][] hidden;
  private final float[] scratch;
  private final Sampler sampler;
  private final int[] drawnIds;
  private int numLogits;
  private SamplingStep drawing;
  private Thread owner;

  /// Set before use: steps may hold tokens that are being drawn.
  boolean overlaps;

  /// Steps that came while tokens were being drawn.
  final AtomicInteger numOverlapped = new AtomicInteger();

  final AtomicInteger numSteps = new AtomicInteger();
  volatile int largestStep;
  volatile boolean closed;
  volatile Thread closedBy;

  FakeLlama(int vocabSize, StepLimits limits, KvCacheSpec cache) {
    this(vocabSize, OutputHead.VOCABULARY, limits, cache);
  }

  FakeLlama(int vocabSize, OutputHead head, StepLimits limits, KvCacheSpec cache) {
    this.config = config(vocabSize, head, limits.maxContextLength());
    this.limits = limits;
    this.cache = cache;
    this.slots = new int[cache.blockSize() * cache.numBlocks()];
    Arrays.fill(slots, EMPTY);
    this.keys = new long[slots.length];
    this.logits = new float[limits.maxRows()][config.numOutputs()];
    this.hidden = new float[limits.maxRows()][config.hiddenSize()];
    this.scratch = new float[vocabSize];
    this.sampler = new Sampler(vocabSize);
    this.drawnIds = new int[limits.maxLogits()];
  }

  private static LlamaConfig config(int vocabSize, OutputHead head, int context) {
    return new LlamaConfig(
            8, 16, 1, 2, 1, 4, vocabSize, context, 1e-5f, 1e4, new RopeScaling.None(), true)
        .withHead(head);
  }

  @Override
  public LlamaConfig config() {
    return config;
  }

  @Override
  public KvCacheSpec kvCache() {
    return cache;
  }

  @Override
  public StepLimits limits() {
    return limits;
  }

  @Override
  public boolean overlapsSteps() {
    return overlaps;
  }

  @Override
  public void forward(StepInput step) {
    checkThread();
    if (drawing != null) {
      require(overlaps, "a step comes while tokens are being drawn");
      numOverlapped.incrementAndGet();
    }
    numSteps.incrementAndGet();
    largestStep = Math.max(largestStep, step.numTokens());
    check(step);
    // In order of the step: a sequence may read what one before it writes, as layer by layer.
    for (int s = 0; s < step.numSequences(); s++) {
      for (int i = step.queryStarts()[s]; i < step.queryStarts()[s + 1]; i++) {
        int position = step.positions()[i];
        long before = position == 0 ? FIRST_KEY : keys[slot(step, s, position - 1)];
        int id = id(step.tokenIds()[i]);
        slots[step.slotMapping()[i]] = id;
        keys[step.slotMapping()[i]] = key(before, id);
      }
    }
    numLogits = step.numLogits();
    int sequence = 0;
    for (int row = 0; row < numLogits; row++) {
      int token = step.logitTokens()[row];
      while (step.queryStarts()[sequence + 1] <= token) {
        sequence++;
      }
      fillRows(step, sequence, step.positions()[token] + 1, row);
    }
  }

  /// What it is or, while it is being drawn, what it will be.
  private int id(int given) {
    if (given >= 0) {
      return given;
    }
    require(drawing != null && ~given < drawing.size(), "no such token is being drawn", ~given);
    int drawn = drawnIds[~given];
    return drawn == SamplingStep.NO_TOKEN ? config.vocabSize() : drawn;
  }

  private void fillRows(StepInput step, int sequence, int length, int row) {
    int[] context = new int[length];
    long hash = 0;
    for (int position = 0; position < length; position++) {
      int slot = slot(step, sequence, position);
      require(slots[slot] != EMPTY, "never written: position", position);
      context[position] = slots[slot];
      hash = mix(hash + keys[slot]);
    }
    fill(~hash, hidden[row]);
    if (!step.wantsLogits()) {
      Arrays.fill(logits[row], Float.NaN);
    } else if (hash == hash(context)) {
      fillLogits(context, logits[row]);
    } else {
      fill(hash, logits[row]);
    }
  }

  private int slot(StepInput step, int sequence, int position) {
    int block =
        step.blockTables()[sequence * step.blockTableStride() + position / cache.blockSize()];
    return block * cache.blockSize() + position % cache.blockSize();
  }

  /// The logits after `context`; the truth that tests compare with.
  void fillLogits(int[] context, float[] row) {
    fill(hash(context), row);
  }

  /// The final hidden states after `context`.
  static float[] hiddenStates(int... context) {
    float[] row = new float[8];
    fill(~hash(context), row);
    return row;
  }

  private static void fill(long hash, float[] row) {
    for (int id = 0; id < row.length; id++) {
      row[id] = (mix(hash + id) >>> 40) * 0x1p-21f;
    }
  }

  private static long hash(int[] context) {
    long hash = 0;
    long key = FIRST_KEY;
    for (int id : context) {
      key = key(key, id);
      hash = mix(hash + key);
    }
    return hash;
  }

  private static long key(long before, int id) {
    return mix(before * 31 + id);
  }

  @Override
  public void startSampling(SamplingStep sampling) {
    checkThread();
    require(drawing == null, "the last draws were not read");
    require(sampling.size() > 0 && sampling.size() <= numLogits, "draws", sampling.size());
    drawing = sampling;
    for (int i = 0; i < sampling.size(); i++) {
      require(i == 0 || sampling.logitsRow(i) > sampling.logitsRow(i - 1), "rows must ascend");
      copyLogits(sampling.logitsRow(i), scratch);
      drawnIds[i] =
          sampler.sample(scratch, sampling.params(i), sampling.history(i), sampling.uniform(i));
      if (sampling.params(i).wantsLogprobs() && drawnIds[i] != SamplingStep.NO_TOKEN) {
        sampling.acceptLogprobs(
            i, sampler.logprobs(scratch, drawnIds[i], sampling.params(i).logprobs()));
      }
    }
  }

  @Override
  public void awaitTokens(SamplingStep sampling, int[] nextTokenIds) {
    checkThread();
    require(sampling.equals(drawing), "other draws are awaited than were started");
    drawing = null;
    System.arraycopy(drawnIds, 0, nextTokenIds, 0, sampling.size());
  }

  @Override
  public void copyLogits(int row, float[] target) {
    checkThread();
    require(row < numLogits, "row, rows", row, numLogits);
    System.arraycopy(logits[row], 0, target, 0, config.numOutputs());
  }

  @Override
  public void copyHiddenStates(int row, int count, float[] target) {
    checkThread();
    require(row + count <= numLogits, "row, count, rows", row, count, numLogits);
    int width = config.hiddenSize();
    for (int i = 0; i < count; i++) {
      System.arraycopy(hidden[row + i], 0, target, i * width, width);
    }
  }

  @Override
  public void close() {
    checkThread();
    closed = true;
    closedBy = Thread.currentThread();
  }

  private void check(StepInput step) {
    int tokens = step.numTokens();
    int sequences = step.numSequences();
    require(tokens >= 1 && tokens <= limits.maxTokens(), "tokens in the step", tokens);
    require(
        sequences >= 1 && sequences <= limits.maxSequences(), "sequences in the step", sequences);
    int maxRows = step.wantsLogits() ? limits.maxLogits() : limits.maxRows();
    require(step.numLogits() <= maxRows, "rows of logits", step.numLogits());
    require(step.queryStarts()[0] == 0, "first query starts at", step.queryStarts()[0]);
    require(step.queryStarts()[sequences] == tokens, "the last query must end at token", tokens);
    require(step.isDecodeOnly() == (tokens == sequences), "isDecodeOnly");
    BitSet written = new BitSet();
    for (int s = 0; s < sequences; s++) {
      checkSequence(step, s, written);
    }
    for (int row = 0; row < step.numLogits(); row++) {
      int token = step.logitTokens()[row];
      require(token < tokens, "logits of token, of", token, tokens);
      require(row == 0 || token > step.logitTokens()[row - 1], "logit tokens must ascend");
    }
  }

  private void checkSequence(StepInput step, int s, BitSet written) {
    int start = step.queryStarts()[s];
    int end = step.queryStarts()[s + 1];
    require(end > start, "no tokens: sequence", s);
    int context = step.contextLengths()[s];
    require(context <= limits.maxContextLength(), "context", context);
    require(
        step.positions()[end - 1] == context - 1,
        "the last position must end the context",
        context);
    int table = s * step.blockTableStride();
    int numBlocks = 0;
    while (numBlocks < step.blockTableStride() && step.blockTables()[table + numBlocks] >= 0) {
      int block = step.blockTables()[table + numBlocks++];
      require(block < cache.numBlocks(), "block, of", block, cache.numBlocks());
    }
    require(numBlocks >= cache.blocksFor(context), "blocks, keys", numBlocks, context);
    for (int i = numBlocks; i < step.blockTableStride(); i++) {
      require(step.blockTables()[table + i] == -1, "table is padded with -1");
    }
    for (int i = start; i < end; i++) {
      int position = step.positions()[i];
      require(position == step.positions()[start] + i - start, "positions are contiguous");
      int block = step.blockTables()[table + position / cache.blockSize()];
      int slot = block * cache.blockSize() + position % cache.blockSize();
      require(step.slotMapping()[i] == slot, "slot", step.slotMapping()[i]);
      require(!written.get(slot), "written twice: slot", slot);
      written.set(slot);
      int id = step.tokenIds()[i];
      require(id < 0 || id < config.vocabSize(), "token id", id);
      require(id >= 0 || (i == end - 1 && overlaps), "only the last token may be unknown", i);
    }
  }

  private void checkThread() {
    if (owner == null) {
      owner = Thread.currentThread();
    }
    require(owner.equals(Thread.currentThread()), "a second thread uses the model");
    require(!closed, "the model is closed");
  }

  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  private static void require(boolean holds, String what, long... values) {
    if (!holds) {
      throw new IllegalStateException("step is wrong: " + what + " " + Arrays.toString(values));
    }
  }
}
