package io.cusco.llama.cpu;

import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cpu.MatMul.Projection;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.cpu.kernels.PackedMatrix;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.RotaryTable;
import io.cusco.llama.model.Stage;
import io.cusco.llama.model.StageProbe;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.sampling.SamplingStep;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/// The forward pass on the CPU: a list of stages, each one phase of the worker pool, over float32
/// activations and weights in the types they are stored in.
///
/// Source: Hugging Face `modeling_llama.py`; stage names as in [Stage].
final class CpuLlamaModel implements LlamaModel {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  /// Tokens per task in the stages that work on each token by itself.
  private static final int TOKENS_PER_TASK = 4;

  private final LlamaConfig config;
  private final KvCacheSpec kvCacheSpec;
  private final StepLimits limits;
  private final Kernels kernels;
  private final WorkerPool pool;
  private final StageProbe probe;
  private final Arena arena = Arena.ofShared();
  private final CpuWeights weights;
  private final CpuKvCache cache;
  private final RotaryTable rotaryTable;
  private final Activations act;
  private final MatMul matMul;
  private final Repacking repacking;
  private final WeightMover mover;
  private final Projection[][] qkvProj;
  private final Projection[][] oProj;
  private final Projection[][] gateUpProj;
  private final Projection[][] downProj;

  /// Empty where the network has no head.
  private final Projection[] head;

  /// For the logits of a prompt: nobody waits for the first token until the copy is made.
  private final Projection[] headInPlace;

  private final float[][] embeddingRows;
  private final StepAttention attention;
  private final StepSampler sampler;

  private final WorkerPool.Phase embedPhase = this::embedTokens;
  private final WorkerPool.Phase normPhase = this::normTokens;
  private final WorkerPool.Phase ropePhase = this::ropeAndStoreTokens;
  private final WorkerPool.Phase siluPhase = this::siluMulTokens;

  private StepInput step;
  private int layer;
  private MemorySegment normWeight;
  private boolean compiled;
  private boolean closed;

  CpuLlamaModel(
      LlamaConfig config,
      LlamaWeights checkpointWeights,
      ModelOptions options,
      KvCacheSpec kvCacheSpec,
      boolean halfKvCache,
      Repacking repacking,
      Kernels kernels,
      WorkerPool pool) {
    this.config = config;
    this.repacking = repacking;
    this.kvCacheSpec = kvCacheSpec;
    this.kernels = kernels;
    this.pool = pool;
    probe = options.probe().orElse(null);
    limits =
        new StepLimits(
            options.maxTokensPerStep(),
            options.maxSequences(),
            options.maxLogitsPerStep(),
            options.maxContextLength());
    try {
      weights = new CpuWeights(checkpointWeights, arena);
      mover =
          new WeightMover(
              weights.matrices().filter(this::isMoved).toList(),
              repacking.stepsToMove(),
              repacking.interleaved(),
              pool,
              arena);
      cache = new CpuKvCache(config, kvCacheSpec, halfKvCache, kernels.lanes(), arena);
      rotaryTable = RotaryTable.of(config, options.maxContextLength(), arena);
      act = new Activations(config, limits, arena);
      int widest =
          Math.max(config.intermediateSize(), Math.max(config.hiddenSize(), config.queryWidth()));
      matMul = new MatMul(pool, kernels, limits.maxRows(), widest, options.deterministic(), arena);
      attention =
          new StepAttention(
              config,
              cache,
              kvCacheSpec,
              kernels,
              pool,
              limits.maxTokens(),
              options.deterministic(),
              arena);
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
    int numLayers = config.numLayers();
    qkvProj = new Projection[numLayers][];
    oProj = new Projection[numLayers][];
    gateUpProj = new Projection[numLayers][];
    downProj = new Projection[numLayers][];
    for (int i = 0; i < numLayers; i++) {
      planLayer(i);
    }
    if (weights.head == null) {
      head = new Projection[0];
      headInPlace = head;
    } else {
      head = new Projection[] {toLogits(packed(weights.head))};
      headInPlace = new Projection[] {toLogits(null)};
    }
    embeddingRows = new float[pool.numThreads()][config.hiddenSize()];
    sampler = new StepSampler(pool, this::copyLogits, config.vocabSize(), limits.maxLogits());
  }

  private void planLayer(int i) {
    CpuWeights.Layer l = weights.layers.get(i);
    qkvProj[i] =
        new Projection[] {
          replace(l.qProj(), act.queries),
          replace(l.kProj(), act.keys),
          replace(l.vProj(), act.values)
        };
    oProj[i] = addToHidden(l.oProj());
    gateUpProj[i] = new Projection[] {replace(l.gateProj(), act.gate), replace(l.upProj(), act.up)};
    downProj[i] = addToHidden(l.downProj());
  }

  private Projection replace(CpuWeights.Linear linear, MemorySegment out) {
    WeightMatrix w = linear.weight();
    return new Projection(w, packed(w), linear.bias(), out, rowBytes(w.source().rows()), false);
  }

  private Projection toLogits(PackedMatrix packed) {
    return new Projection(
        weights.head, packed, null, act.logits, rowBytes(config.numOutputs()), false);
  }

  private PackedMatrix packed(WeightMatrix weight) {
    Matrix source = weight.source();
    return repacking.packed().test(source) ? new PackedMatrix(source, arena) : null;
  }

  private boolean isMoved(WeightMatrix weight) {
    return repacking.moved().test(weight.source());
  }

  private Projection[] addToHidden(CpuWeights.Linear linear) {
    return new Projection[] {
      new Projection(
          linear.weight(),
          packed(linear.weight()),
          linear.bias(),
          act.hidden,
          rowBytes(config.hiddenSize()),
          true)
    };
  }

  private static long rowBytes(int width) {
    return (long) width * Float.BYTES;
  }

  @Override
  public LlamaConfig config() {
    return config;
  }

  @Override
  public KvCacheSpec kvCache() {
    return kvCacheSpec;
  }

  @Override
  public StepLimits limits() {
    return limits;
  }

  @Override
  public long copiedWeightBytes() {
    return repacking.numBytes();
  }

  @Override
  public boolean isSettled() {
    return mover.isDone();
  }

  @Override
  public void forward(StepInput step) {
    requireOpen();
    limits.check(step);
    this.step = step;
    int tokens = step.numTokens();
    long hiddenRow = rowBytes(config.hiddenSize());
    long queryRow = rowBytes(config.queryWidth());
    long intermediateRow = rowBytes(config.intermediateSize());
    attention.plan(step);
    if (!compiled) {
      pool.leaveCoreToCompiler(true);
    } else if (step.isDecodeOnly()) {
      mover.moveSome();
    }

    pool.run(embedPhase, tokenTasks());
    observe(Stage.EMBED, -1, act.hidden, tokens, config.hiddenSize());
    for (layer = 0; layer < config.numLayers(); layer++) {
      CpuWeights.Layer l = weights.layers.get(layer);

      norm(l.inputNorm());
      observe(Stage.INPUT_NORM, layer, act.normed, tokens, config.hiddenSize());
      matMul.run(act.normed, hiddenRow, tokens, qkvProj[layer]);
      observe(Stage.Q_PROJ, layer, act.queries, tokens, config.queryWidth());
      observe(Stage.K_PROJ, layer, act.keys, tokens, config.keyValueWidth());
      observe(Stage.V_PROJ, layer, act.values, tokens, config.keyValueWidth());
      pool.run(ropePhase, tokenTasks());
      observe(Stage.ROPE_Q, layer, act.queries, tokens, config.queryWidth());
      attention.run(layer, act.queries, act.attended);
      observe(Stage.ATTENTION, layer, act.attended, tokens, config.queryWidth());
      matMul.run(act.attended, queryRow, tokens, oProj[layer]);
      observe(Stage.ATTENTION_RESIDUAL, layer, act.hidden, tokens, config.hiddenSize());

      norm(l.postAttentionNorm());
      observe(Stage.POST_ATTENTION_NORM, layer, act.normed, tokens, config.hiddenSize());
      matMul.run(act.normed, hiddenRow, tokens, gateUpProj[layer]);
      pool.run(siluPhase, tokenTasks());
      observe(Stage.SILU_MUL, layer, act.gate, tokens, config.intermediateSize());
      matMul.run(act.gate, intermediateRow, tokens, downProj[layer]);
      observe(Stage.FEED_FORWARD_RESIDUAL, layer, act.hidden, tokens, config.hiddenSize());
      if (!compiled) {
        // Most rows of a layer come after the kernels' compilation, which the first ones ask for.
        pool.leaveCoreToCompiler(false);
        compiled = true;
      }
    }
    finalNorm();
    observe(Stage.FINAL_NORM, -1, act.lastNormed, step.numLogits(), config.hiddenSize());
    if (step.numLogits() > 0 && step.wantsLogits() && head.length > 0) {
      Projection[] toLogits = tokens == 1 ? head : headInPlace;
      matMul.run(act.lastNormed, hiddenRow, step.numLogits(), toLogits);
      observe(Stage.LOGITS, -1, act.logits, step.numLogits(), config.numOutputs());
    }
  }

  private int tokenTasks() {
    return Math.ceilDiv(step.numTokens(), TOKENS_PER_TASK);
  }

  private int tasksEnd(int task) {
    return Math.min(step.numTokens(), (task + 1) * TOKENS_PER_TASK);
  }

  private void embedTokens(int task, int worker) {
    float[] row = embeddingRows[worker];
    for (int token = task * TOKENS_PER_TASK; token < tasksEnd(task); token++) {
      int id = step.tokenIds()[token];
      kernels.widen(
          weights.embedTokens.type(),
          weights.embedTokens.segment(),
          weights.embedTokens.rowOffset(id),
          config.hiddenSize(),
          row,
          0);
      MemorySegment.copy(
          row, 0, act.hidden, FLOAT, token * rowBytes(config.hiddenSize()), config.hiddenSize());
    }
  }

  private void norm(MemorySegment weight) {
    normWeight = weight;
    pool.run(normPhase, tokenTasks());
  }

  private void normTokens(int task, int worker) {
    for (int token = task * TOKENS_PER_TASK; token < tasksEnd(task); token++) {
      long at = token * rowBytes(config.hiddenSize());
      kernels.rmsNorm(
          act.hidden, at, normWeight, config.rmsNormEps(), config.hiddenSize(), act.normed, at);
    }
  }

  private void ropeAndStoreTokens(int task, int worker) {
    long headBytes = rowBytes(config.headDim());
    for (int token = task * TOKENS_PER_TASK; token < tasksEnd(task); token++) {
      int position = step.positions()[token];
      for (int head = 0; head < config.numAttentionHeads(); head++) {
        long at = token * rowBytes(config.queryWidth()) + head * headBytes;
        Rotation.rotate(rotaryTable, weights.rotaryLayout, position, act.queries, at);
      }
      for (int head = 0; head < config.numKeyValueHeads(); head++) {
        long at = token * rowBytes(config.keyValueWidth()) + head * headBytes;
        Rotation.rotate(rotaryTable, weights.rotaryLayout, position, act.keys, at);
        cache.store(layer, step.slotMapping()[token], head, act.keys, at, act.values, at);
      }
    }
  }

  private void siluMulTokens(int task, int worker) {
    for (int token = task * TOKENS_PER_TASK; token < tasksEnd(task); token++) {
      long at = token * rowBytes(config.intermediateSize());
      kernels.siluMul(act.gate, at, act.up, at, config.intermediateSize());
    }
  }

  private void finalNorm() {
    for (int row = 0; row < step.numLogits(); row++) {
      kernels.rmsNorm(
          act.hidden,
          step.logitTokens()[row] * rowBytes(config.hiddenSize()),
          weights.norm,
          config.rmsNormEps(),
          config.hiddenSize(),
          act.lastNormed,
          row * rowBytes(config.hiddenSize()));
    }
  }

  @Override
  public void startSampling(SamplingStep sampling) {
    requireOpen();
    if (!config.generates()) {
      throw new IllegalStateException("no token can be drawn: the model has " + config.head());
    }
    sampler.run(sampling);
  }

  @Override
  public void awaitTokens(SamplingStep sampling, int[] nextTokenIds) {
    sampler.copyIds(sampling.size(), nextTokenIds);
  }

  @Override
  public void copyLogits(int row, float[] logits) {
    requireOpen();
    if (head.length == 0) {
      throw new IllegalStateException("there are no logits: the model has " + config.head());
    }
    Objects.checkIndex(row, limits.maxLogits());
    int width = config.numOutputs();
    MemorySegment.copy(act.logits, FLOAT, row * rowBytes(width), logits, 0, width);
  }

  @Override
  public void copyHiddenStates(int row, int count, float[] hiddenStates) {
    requireOpen();
    Objects.checkFromIndexSize(row, count, limits.maxRows());
    int width = config.hiddenSize();
    MemorySegment.copy(
        act.lastNormed, FLOAT, row * rowBytes(width), hiddenStates, 0, count * width);
  }

  private void observe(Stage stage, int layer, MemorySegment values, int rows, int width) {
    if (probe != null && rows > 0) {
      float[] copy = new float[rows * width];
      MemorySegment.copy(values, FLOAT, 0, copy, 0, copy.length);
      probe.observe(stage, layer, copy, rows, width);
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the model is closed");
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      arena.close();
    }
  }
}
