package io.cusco.llama.cuda;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.AttentionKernels.StepAddresses;
import io.cusco.llama.cuda.CudaKernels.RotaryAddresses;
import io.cusco.llama.cuda.CudaKernels.TokenPlaces;
import io.cusco.llama.cuda.CudaWeights.Linear;
import io.cusco.llama.cuda.Fp8Kernels.Fp8Matrix;
import io.cusco.llama.cuda.driver.Cublas;
import io.cusco.llama.cuda.driver.CublasLt;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.RotaryTable;
import io.cusco.llama.model.Stage;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.sampling.SamplingStep;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;

/// The forward pass on the GPU: a list of launches and products on one stream, with every operand
/// at an address that is fixed at load. Nothing in it allocates or waits, so a decode step is
/// recorded once and replayed as a graph ([DecodeGraphs]).
///
/// Activations are of one type T; the residual stream, queries, keys and values before they are
/// turned, sums and logits are float32.
///
/// Source: Hugging Face `modeling_llama.py`; stage names as in [Stage].
final class CudaLlamaModel implements LlamaModel {
  /// NVIDIA's advice for cuBLAS on compute capability 9.0 and above; plenty before.
  private static final long WORKSPACE_BYTES = 32L << 20;

  private final Owned owned = new Owned();
  private final CudaContext context;
  private final LlamaConfig config;
  private final boolean deterministic;
  private final StepLimits limits;
  private final ActivationType type;
  private final KvFormat kvFormat;
  private final KvCacheSpec kvCacheSpec;
  private final CudaStream stream;
  private final CudaKernels kernels;
  private final AttentionKernels attention;
  private final Optional<Fp8Products> fp8Products;
  private final Products products;
  private final StepArrays arrays;
  private final CudaActivations act;
  private final CudaWeights weights;
  private final CudaKvCache cache;

  /// Empty where there is nothing to draw from.
  private final Optional<SamplingKernels> sampling;

  private final DrawnIds drawnIds;

  private final DecodeGraphs graphs;
  private final TokenPlaces places;
  private final StepAddresses stepAddresses;
  private final RotaryAddresses rotary;
  private final StageReader reader;
  private final Runnable launches = this::launch;

  private AttentionKernels.Step attentionStep = AttentionKernels.Step.NONE;
  private int tokens;
  private int logitRows;
  private boolean logitsWanted;
  private boolean closed;

  CudaLlamaModel(
      CudaContext context,
      KernelModules modules,
      LlamaConfig config,
      LlamaWeights checkpointWeights,
      ModelOptions options) {
    this.context = context;
    this.config = config;
    deterministic = options.deterministic();
    limits =
        new StepLimits(
            options.maxTokensPerStep(),
            options.maxSequences(),
            options.maxLogitsPerStep(),
            options.maxContextLength());
    try {
      boolean fp8 = options.compute() == ComputeMode.FP8;
      if (fp8) {
        requireFp8(context);
      }
      type = ActivationType.of(options.compute(), checkpointWeights);
      kvFormat = KvFormat.of(options.kvType(), type, context.device());
      stream = owned.own(CudaStream.create(context));
      DeviceBuffer workspace =
          owned.own(DeviceBuffer.allocate(context, "cuBLAS workspace", WORKSPACE_BYTES));
      Cublas cublas = owned.own(Cublas.create(stream, workspace));
      Optional<CublasLt> cublasLt =
          fp8 || deterministic
              ? Optional.of(owned.own(CublasLt.create(context, workspace)))
              : Optional.empty();
      weights = loadWeights(modules, checkpointWeights, fp8, options.progress());
      fp8Products =
          fp8 ? Optional.of(fp8Products(modules, cublasLt.orElseThrow())) : Optional.empty();
      products =
          owned.own(
              new Products(
                  context,
                  stream,
                  cublas,
                  modules,
                  type,
                  weights.linears(),
                  Products.WIDENED_BYTES,
                  deterministic ? cublasLt : Optional.empty(),
                  fp8Products));
      act = owned.own(new CudaActivations(context, config, limits, type));
      int stride = Math.ceilDiv(options.maxContextLength(), options.kvBlockSize());
      arrays = owned.own(new StepArrays(context, limits, stride));
      rotary = uploadRotaryTable(options.maxContextLength());
      sampling = config.generates() ? Optional.of(samplingKernels(modules)) : Optional.empty();
      drawnIds = sampling.map(SamplingKernels::ids).orElse(DrawnIds.NONE);
      kvCacheSpec =
          CudaKvCache.spec(
              context,
              config,
              options,
              kvFormat,
              AttentionKernels.workspaceBytes(type, config, limits, deterministic));
      cache = owned.own(new CudaKvCache(context, config, kvCacheSpec, kvFormat));
      kernels =
          new CudaKernels(modules, kvFormat, config, checkpointWeights.rotaryLayout(), kvCacheSpec);
      attention =
          owned.own(
              AttentionKernels.of(
                  context, modules, kvFormat, config, kvCacheSpec, limits, deterministic));
      graphs = owned.own(new DecodeGraphs(Math.min(limits.maxSequences(), limits.maxLogits())));
      reader = new StageReader(stream, type, options.probe());
    } catch (RuntimeException | Error e) {
      owned.close();
      throw e;
    }
    places = new TokenPlaces(arrays.positions(), arrays.slotMapping());
    stepAddresses =
        new StepAddresses(
            arrays.queryStarts(), arrays.contextLengths(), arrays.blockTables(), arrays.stride());
  }

  private static void requireFp8(CudaContext context) {
    CudaDevice device = context.device();
    if (!device.hasCompute(8, 9)) {
      throw new LlamaException(
          "compute fp8: %s has compute capability %d.%d, FP8 products came with 8.9 (Ada, Hopper and later); use compute auto"
              .formatted(device.label(), device.computeMajor(), device.computeMinor()));
    }
  }

  private CudaWeights loadWeights(
      KernelModules modules, LlamaWeights checkpointWeights, boolean fp8, LoadProgress progress) {
    // Beside FP8 little is left to be widened: the head, and matrices of odd sizes.
    boolean keepsWidened =
        fp8 || CudaWeights.hasRoomToWiden(checkpointWeights, type, context.freeBytes());
    try (WeightUploader uploader =
        new WeightUploader(
            context,
            stream,
            type,
            new DequantizeKernels(modules, type),
            fp8 ? Optional.of(new Fp8Kernels(modules)) : Optional.empty(),
            checkpointWeights,
            progress)) {
      return owned.own(
          new CudaWeights(context, checkpointWeights, type, uploader, keepsWidened, fp8));
    }
  }

  private Fp8Products fp8Products(KernelModules modules, CublasLt cublasLt) {
    List<Fp8Matrix> matrices = weights.fp8Matrices();
    if (matrices.isEmpty()) {
      throw new LlamaException(
          "compute fp8: no layer of this model has matrices whose rows and columns are multiples of %d; use compute auto"
              .formatted(Fp8Kernels.MULTIPLE));
    }
    return owned.own(
        new Fp8Products(
            context,
            stream,
            cublasLt,
            modules,
            matrices,
            CudaActivations.maxRows(limits),
            Fp8Products.RAW_BYTES,
            deterministic));
  }

  private SamplingKernels samplingKernels(KernelModules modules) {
    return owned.own(new SamplingKernels(modules, context, config.vocabSize(), limits.maxLogits()));
  }

  private RotaryAddresses uploadRotaryTable(int maxPositions) {
    try (Arena arena = Arena.ofConfined()) {
      RotaryTable table = RotaryTable.of(config, maxPositions, arena);
      return new RotaryAddresses(
          upload("rotary cosines", table.cos()), upload("rotary sines", table.sin()));
    }
  }

  private long upload(String name, MemorySegment values) {
    DeviceBuffer buffer = owned.own(DeviceBuffer.allocate(context, name, values.byteSize()));
    buffer.copyFrom(values, 0);
    return buffer.address();
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
  public void forward(StepInput step) {
    requireOpen();
    limits.check(step);
    context.bindToCurrentThread();
    boolean graphed =
        step.isDecodeOnly()
            && step.numLogits() == step.numSequences()
            && step.wantsLogits()
            && !reader.isOn();
    int sequences = graphed ? graphs.bucket(step.numSequences()) : step.numSequences();
    int padding = sequences - step.numSequences();
    arrays.upload(step, sequences, stream);
    tokens = step.numTokens() + padding;
    logitRows = step.numLogits() + padding;
    logitsWanted = step.wantsLogits();
    attentionStep = attentionStep.next(step, sequences, deterministic, graphed);
    if (graphed) {
      graphs.run(sequences, attentionStep.maxContext(), stream, launches);
    } else {
      launch();
    }
  }

  /// The step's launches in order.
  private void launch() {
    long hidden = act.hidden.address();
    long normed = act.normed.address();
    long qkv = act.qkv.address();
    long queries = act.queries.address();
    long attended = act.attended.address();
    long gateUp = act.gateUp.address();
    long activated = act.activated.address();

    kernels.embedGather(stream, weights.embedTokens(), arrays.tokenIds(), drawnIds, hidden, tokens);
    reader.residual(Stage.EMBED, -1, act.hidden, tokens, config.hiddenSize());
    for (int layer = 0; layer < config.numLayers(); layer++) {
      CudaWeights.Layer l = weights.layers().get(layer);

      kernels.rmsNorm(stream, hidden, l.inputNorm(), normed, tokens);
      reader.rows(Stage.INPUT_NORM, layer, act.normed, tokens, config.hiddenSize());
      products.projectToFloat(l.qkv(), normed, qkv, tokens);
      if (l.qkv().bias() != 0) {
        kernels.addQkvBias(stream, qkv, l.qkv().bias(), tokens);
      }
      reader.qkv(layer, act.qkv, tokens, config);
      kernels.ropeAndStoreKv(stream, qkv, places, rotary, queries, cache.layer(layer), tokens);
      reader.queries(layer, act.queries, kvFormat.queries(), tokens, config.queryWidth());
      attention.attend(stream, queries, stepAddresses, cache.layer(layer), attended, attentionStep);
      reader.rows(Stage.ATTENTION, layer, act.attended, tokens, config.queryWidth());
      addTo(hidden, l.oProj(), attended);
      reader.residual(Stage.ATTENTION_RESIDUAL, layer, act.hidden, tokens, config.hiddenSize());

      kernels.rmsNorm(stream, hidden, l.postAttentionNorm(), normed, tokens);
      reader.rows(Stage.POST_ATTENTION_NORM, layer, act.normed, tokens, config.hiddenSize());
      products.project(l.gateUp(), normed, gateUp, tokens);
      if (l.gateUp().bias() != 0) {
        kernels.addGateUpBias(stream, gateUp, l.gateUp().bias(), tokens);
      }
      kernels.siluMul(stream, gateUp, activated, tokens);
      reader.rows(Stage.SILU_MUL, layer, act.activated, tokens, config.intermediateSize());
      addTo(hidden, l.down(), activated);
      reader.residual(Stage.FEED_FORWARD_RESIDUAL, layer, act.hidden, tokens, config.hiddenSize());
    }
    if (logitRows > 0) {
      lastRows(hidden);
    }
  }

  private void lastRows(long hidden) {
    kernels.gatherRows(
        stream, hidden, tokens, arrays.logitTokens(), act.lastHidden.address(), logitRows);
    kernels.rmsNorm(
        stream, act.lastHidden.address(), weights.norm(), act.lastNormed.address(), logitRows);
    reader.rows(Stage.FINAL_NORM, -1, act.lastNormed, logitRows, config.hiddenSize());
    Linear head = weights.head().orElse(null);
    if (logitsWanted && head != null) {
      products.projectToFloat(head, act.lastNormed.address(), act.logits.address(), logitRows);
      reader.residual(Stage.LOGITS, -1, act.logits, logitRows, config.numOutputs());
    }
  }

  private void addTo(long hidden, Linear linear, long from) {
    products.addTo(hidden, linear, from, tokens);
    if (linear.bias() != 0) {
      kernels.addResidualBias(stream, hidden, linear.bias(), tokens);
    }
  }

  /// The ids of a step's draws stay on the device, where the next step finds them.
  @Override
  public boolean overlapsSteps() {
    return true;
  }

  @Override
  public void startSampling(SamplingStep draws) {
    requireOpen();
    if (sampling.isEmpty()) {
      throw new IllegalStateException("no token can be drawn: the model has " + config.head());
    }
    context.bindToCurrentThread();
    sampling.get().launch(stream, act.logits.address(), draws);
  }

  @Override
  public void awaitTokens(SamplingStep draws, int[] nextTokenIds) {
    requireOpen();
    context.bindToCurrentThread();
    sampling.orElseThrow().collect(draws, nextTokenIds);
  }

  @Override
  public void copyLogits(int row, float[] logits) {
    requireOpen();
    if (weights.head().isEmpty()) {
      throw new IllegalStateException("there are no logits: the model has " + config.head());
    }
    Objects.checkIndex(row, limits.maxLogits());
    copyRows(act.logits, ActivationType.F32, row, config.numOutputs(), 1, logits);
  }

  @Override
  public void copyHiddenStates(int row, int count, float[] hiddenStates) {
    requireOpen();
    Objects.checkFromIndexSize(row, count, limits.maxRows());
    copyRows(act.lastNormed, type, row, config.hiddenSize(), count, hiddenStates);
  }

  private void copyRows(
      DeviceBuffer rows, ActivationType stored, int row, int width, int count, float[] target) {
    context.bindToCurrentThread();
    long rowBytes = (long) width * stored.numBytes();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment copy = arena.allocate(count * rowBytes, Float.BYTES);
      rows.copyTo(copy, row * rowBytes);
      for (int i = 0; i < count * width; i++) {
        target[i] = stored.get(copy, i);
      }
    }
  }

  /// Device memory by purpose, for people.
  String memory() {
    return String.format(
        Locale.ROOT,
        "%s%s: weights %.2f GB, KV cache of %d tokens in %s %.2f GB, activations %.2f GB",
        type.suffix(),
        fp8Products.map(this::fp8Summary).orElse(""),
        weights.numBytes() / 1e9,
        kvCacheSpec.capacityTokens(),
        kvFormat.label(),
        cache.numBytes() / 1e9,
        (act.numBytes() + fp8Products.map(Fp8Products::numBytes).orElse(0L)) / 1e9);
  }

  private String fp8Summary(Fp8Products fp8) {
    int matrices = weights.fp8Matrices().size();
    int left = 4 * config.numLayers() - matrices;
    return " and %d matrices of e4m3%s (many rows %s)"
        .formatted(
            matrices,
            left == 0
                ? ""
                : ", %d others no multiples of %d in size".formatted(left, Fp8Kernels.MULTIPLE),
            fp8.way());
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
      context.bindToCurrentThread();
      stream.synchronize();
      owned.close();
    }
  }
}
