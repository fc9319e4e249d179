package io.cusco.llama.cuda;

import io.cusco.llama.backend.KvType;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.AttentionKernels.Step;
import io.cusco.llama.cuda.AttentionKernels.StepAddresses;
import io.cusco.llama.cuda.CudaKernels.KvPools;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.ElementType;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.sampling.SamplingStep;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// The model's kernels one at a time with memory of their own, for those who time them. Activations
/// are bfloat16. Used on the context's thread.
public final class ShippedKernels implements AutoCloseable {
  private static final ActivationType TYPE = ActivationType.BF16;

  private final CudaContext context;
  private final KernelModules modules;

  /// @param context must outlive this
  public ShippedKernels(CudaContext context) {
    this.context = context;
    modules = KernelModules.load(context);
  }

  /// One layer's attention over `step`, its caches unwritten.
  ///
  /// @param kvType of the caches
  /// @param cache holds the step's blocks
  public Attention attention(
      int heads, int keyValueHeads, int headDim, KvType kvType, KvCacheSpec cache, StepInput step) {
    return new Attention(
        context,
        modules,
        KernelDevice.config(heads * headDim, 1, heads, keyValueHeads, headDim, 1),
        KvFormat.of(kvType, TYPE, context.device()),
        cache,
        step);
  }

  /// The draws of steps over `rows` rows of unwritten logits.
  public Sampling sampling(int rows, int vocabSize) {
    return new Sampling(context, modules, rows, vocabSize);
  }

  @Override
  public void close() {
    modules.close();
  }

  /// See [#attention].
  public static final class Attention implements AutoCloseable {
    private final Owned owned = new Owned();
    private final CudaContext context;
    private final AttentionKernels kernels;
    private final List<Operand> operands = new ArrayList<>();
    private final long scales;
    private final StepAddresses arrays;
    private final DeviceBuffer out;
    private final Step shape;

    private Attention(
        CudaContext context,
        KernelModules modules,
        LlamaConfig config,
        KvFormat format,
        KvCacheSpec cache,
        StepInput step) {
      this.context = context;
      try {
        int tokens = step.numTokens();
        int longest = 1;
        for (int i = 0; i < step.numSequences(); i++) {
          longest = Math.max(longest, step.contextLengths()[i]);
        }
        StepLimits limits = new StepLimits(tokens, step.numSequences(), 1, longest);
        kernels =
            owned.own(AttentionKernels.of(context, modules, format, config, cache, limits, false));
        long rows = cache.capacityTokens() * config.numKeyValueHeads();
        ElementType cached =
            format.fp8() ? ElementType.FP8_E4M3 : format.activations().elementType();
        long queryElements = (long) tokens * config.queryWidth();
        operands.add(operand("queries", format.queries().elementType(), queryElements));
        operands.add(operand("keys", cached, rows * config.headDim()));
        operands.add(operand("values", cached, rows * config.headDim()));
        scales = format.fp8() ? ones("scales", rows) : 0;
        out = allocate("attended", queryElements * TYPE.numBytes());
        arrays =
            new StepAddresses(
                upload("query starts", step.queryStarts()),
                upload("context lengths", step.contextLengths()),
                upload("block tables", step.blockTables()),
                step.blockTableStride());
        shape = Step.NONE.next(step, step.numSequences(), false, true);
      } catch (RuntimeException | Error e) {
        owned.close();
        throw e;
      }
    }

    private Operand operand(String name, ElementType type, long elements) {
      return new Operand(allocate(name, elements * type.numBytes()), type);
    }

    private DeviceBuffer allocate(String name, long numBytes) {
      return owned.own(DeviceBuffer.allocate(context, name, numBytes));
    }

    /// Scales of 1 for keys and values.
    private long ones(String name, long rows) {
      DeviceBuffer buffer = allocate(name, rows * 2 * Short.BYTES);
      int one = Float.floatToRawIntBits(1) >>> Short.SIZE;
      try (CudaStream stream = CudaStream.create(context)) {
        buffer.fillInts(one << Short.SIZE | one, 0, rows, stream);
        stream.synchronize();
      }
      return buffer.address();
    }

    private long upload(String name, int[] values) {
      DeviceBuffer buffer =
          owned.own(DeviceBuffer.allocate(context, name, (long) values.length * Integer.BYTES));
      try (Arena arena = Arena.ofConfined()) {
        buffer.copyFrom(arena.allocateFrom(ValueLayout.JAVA_INT, values), 0);
      }
      return buffer.address();
    }

    /// @param type of its elements
    public record Operand(DeviceBuffer buffer, ElementType type) {}

    /// What has to be filled before the first [#queue]: turned queries, keys, values.
    public List<Operand> operands() {
      return operands;
    }

    /// What [#queue] writes: `[numTokens, heads * headDim]` bfloat16.
    public DeviceBuffer out() {
      return out;
    }

    public void queue(CudaStream stream) {
      kernels.attend(
          stream,
          operands.get(0).buffer().address(),
          arrays,
          new KvPools(
              operands.get(1).buffer().address(), operands.get(2).buffer().address(), scales),
          out.address(),
          shape);
    }

    @Override
    public void close() {
      owned.close();
    }
  }

  /// See [#sampling].
  public static final class Sampling implements AutoCloseable {
    private final Owned owned = new Owned();
    private final SamplingKernels kernels;
    private final DeviceBuffer logits;

    private Sampling(CudaContext context, KernelModules modules, int rows, int vocabSize) {
      try {
        kernels = owned.own(new SamplingKernels(modules, context, vocabSize, rows));
        logits =
            owned.own(
                DeviceBuffer.allocate(context, "logits", (long) rows * vocabSize * Float.BYTES));
      } catch (RuntimeException | Error e) {
        owned.close();
        throw e;
      }
    }

    /// What has to be filled before the first [#queue]: `[rows, vocabSize]` float32.
    public DeviceBuffer logits() {
      return logits;
    }

    /// Queues the draws; [#collect] has to follow.
    public void queue(CudaStream stream, SamplingStep draws) {
      kernels.launch(stream, logits.address(), draws);
    }

    /// Waits for the draws' tokens.
    public void collect(SamplingStep draws, int[] tokenIds) {
      kernels.collect(draws, tokenIds);
    }

    @Override
    public void close() {
      owned.close();
    }
  }
}
