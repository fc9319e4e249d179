package io.cusco.llama.cuda;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.AttentionKernels.Step;
import io.cusco.llama.cuda.AttentionKernels.StepAddresses;
import io.cusco.llama.cuda.CudaKernels.KvPools;
import io.cusco.llama.cuda.driver.CudaGraph;
import io.cusco.llama.cuda.driver.CudaGraphExec;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.testkit.Fp8Rows;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/// A ragged step with random queries, keys and values, what attention makes of it in float64, and
/// its way to a device. Blocks are scattered over a pool of which nothing but visible keys is ever
/// written, and block tables have no entry beyond them.
final class AttentionBatch {
  private static final int SPARE_BLOCKS = 3;
  private static final int SPARE_ENTRIES = 2;

  private final KvFormat format;
  private final ActivationType type;
  private final LlamaConfig config;
  private final int blockSize;
  private final List<Sequence> sequences;

  /// One sequence: keys and values are `[numKeyValueHeads][contextLength][headDim]`, queries
  /// `[numTokens][numHeads][headDim]`.
  record Sequence(
      int numTokens, int contextLength, float[] queries, float[] keys, float[] values) {}

  private AttentionBatch(
      KvFormat format, LlamaConfig config, int blockSize, List<Sequence> sequences) {
    this.format = format;
    type = format.activations();
    this.config = config;
    this.blockSize = blockSize;
    this.sequences = sequences;
  }

  /// @param lengths tokens and context length of each sequence
  static AttentionBatch random(
      SplittableRandom random,
      KvFormat format,
      LlamaConfig config,
      int blockSize,
      int[]... lengths) {
    int keyElements = config.numKeyValueHeads() * config.headDim();
    int width = config.queryWidth();
    return new AttentionBatch(
        format,
        config,
        blockSize,
        Arrays.stream(lengths)
            .map(length ->
                new Sequence(
                    length[0],
                    length[1],
                    KernelDevice.rounded(format.queries(), gaussian(random, length[0] * width, 2)),
                    cached(random, format, config.headDim(), length[1] * keyElements, 0.5),
                    cached(random, format, config.headDim(), length[1] * keyElements, 2)))
            .toList());
  }

  /// Scores then have a standard deviation of `scale`: some keys stand out, many count.
  private static float[] gaussian(SplittableRandom random, int count, double scale) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (scale * random.nextGaussian());
    }
    return values;
  }

  /// Rows of keys or values as a cache gives them back. With scales, rows are of sizes that
  /// `spread` octaves or so lie between, a few of them nothing but zeros.
  private static float[] cached(
      SplittableRandom random, KvFormat format, int headDim, int count, double spread) {
    float[] values = gaussian(random, count, 1);
    if (!format.fp8()) {
      return KernelDevice.rounded(format.activations(), values);
    }
    double[] row = new double[headDim];
    for (int from = 0; from < count; from += headDim) {
      double size = random.nextInt(16) == 0 ? 0 : Math.pow(2, spread * random.nextGaussian());
      for (int i = 0; i < headDim; i++) {
        row[i] = size * values[from + i];
      }
      Fp8Rows.round(row, headDim);
      for (int i = 0; i < headDim; i++) {
        values[from + i] = (float) row[i];
      }
    }
    return values;
  }

  KvFormat format() {
    return format;
  }

  int numSequences() {
    return sequences.size();
  }

  /// One of the sequences by itself.
  AttentionBatch alone(int sequence) {
    return new AttentionBatch(format, config, blockSize, List.of(sequences.get(sequence)));
  }

  /// The step's shape for a grid that reaches `spareContext` positions too far.
  Step step(int spareContext) {
    boolean prefills = sequences.stream().anyMatch(s -> s.numTokens() > 1);
    int maxContext =
        sequences.stream()
            .filter(s -> s.numTokens() == 1)
            .mapToInt(s -> Math.max(1, s.contextLength()) + spareContext)
            .max()
            .orElse(0);
    return new Step(numTokens(), sequences.size(), prefills, maxContext);
  }

  StepLimits limits() {
    int maxContext = sequences.stream().mapToInt(Sequence::contextLength).max().orElseThrow();
    return new StepLimits(numTokens(), sequences.size(), 1, Math.max(1, maxContext));
  }

  private int numTokens() {
    return sequences.stream().mapToInt(Sequence::numTokens).sum();
  }

  /// Uploads everything, runs `[numTokens][queryWidth]` results out of `kernels` and brings them
  /// back.
  float[] run(KernelDevice device, SplittableRandom random, int spareContext) {
    return run(device, random, step(spareContext), false);
  }

  /// The same with every token taken by itself.
  float[] runAlone(KernelDevice device, SplittableRandom random, int spareContext) {
    Step step = step(spareContext);
    int longest = limits().maxContextLength() + spareContext;
    Step alone = new Step(step.numTokens(), step.numSequences(), step.prefills(), longest);
    return run(device, random, alone, true);
  }

  private float[] run(KernelDevice device, SplittableRandom random, Step step, boolean alone) {
    KvCacheSpec cache = new KvCacheSpec(blockSize, numBlocks() + SPARE_BLOCKS);
    try (AttentionKernels kernels =
        AttentionKernels.of(
            device.context(), device.modules(), format, config, cache, limits(), alone)) {
      DeviceBuffer out = device.output(type, (long) numTokens() * config.queryWidth());
      Uploaded uploaded = upload(device, random, cache);
      kernels.attend(
          device.stream(),
          uploaded.queries(),
          uploaded.arrays(),
          uploaded.pools(),
          out.address(),
          step);
      return device.download(type, out);
    }
  }

  /// Records the step's launches, runs them, and once more after every context was cut to its first
  /// `contextLengths` keys in place.
  ///
  /// @return the results of both runs
  List<float[]> replay(
      KernelDevice device, SplittableRandom random, int maxContext, int[] contextLengths) {
    KvCacheSpec cache = new KvCacheSpec(blockSize, numBlocks() + SPARE_BLOCKS);
    DeviceBuffer out = device.output(type, (long) numTokens() * config.queryWidth());
    Uploaded uploaded = upload(device, random, cache);
    Step step = new Step(numTokens(), sequences.size(), false, maxContext);
    StepLimits limits = new StepLimits(numTokens(), sequences.size(), 1, maxContext);
    try (AttentionKernels kernels =
            AttentionKernels.of(
                device.context(), device.modules(), format, config, cache, limits, false);
        CudaGraph graph =
            CudaGraph.capture(
                device.stream(),
                () ->
                    kernels.attend(
                        device.stream(),
                        uploaded.queries(),
                        uploaded.arrays(),
                        uploaded.pools(),
                        out.address(),
                        step));
        CudaGraphExec exec = graph.instantiate();
        Arena arena = Arena.ofConfined()) {
      exec.launch(device.stream());
      float[] first = device.download(type, out);
      uploaded
          .contextLengths()
          .copyFrom(arena.allocateFrom(ValueLayout.JAVA_INT, contextLengths), 0);
      exec.launch(device.stream());
      return List.of(first, device.download(type, out));
    }
  }

  /// The same sequences of single tokens with the first `contextLengths` of their keys.
  AttentionBatch cut(int[] contextLengths) {
    List<Sequence> shorter = new ArrayList<>();
    for (int i = 0; i < sequences.size(); i++) {
      Sequence sequence = sequences.get(i);
      shorter.add(
          new Sequence(
              1,
              contextLengths[i],
              sequence.queries(),
              cut(sequence.keys(), sequence.contextLength(), contextLengths[i]),
              cut(sequence.values(), sequence.contextLength(), contextLengths[i])));
    }
    return new AttentionBatch(format, config, blockSize, shorter);
  }

  /// Each token a sequence of its own, with the keys that it sees.
  AttentionBatch apart() {
    List<Sequence> tokens = new ArrayList<>();
    int width = config.queryWidth();
    for (Sequence sequence : sequences) {
      int context = sequence.contextLength();
      for (int i = 0; i < sequence.numTokens(); i++) {
        int visible = context - (sequence.numTokens() - 1 - i);
        tokens.add(
            new Sequence(
                1,
                visible,
                Arrays.copyOfRange(sequence.queries(), i * width, (i + 1) * width),
                cut(sequence.keys(), context, visible),
                cut(sequence.values(), context, visible)));
      }
    }
    return new AttentionBatch(format, config, blockSize, tokens);
  }

  private float[] cut(float[] rows, int from, int to) {
    int headDim = config.headDim();
    float[] shorter = new float[config.numKeyValueHeads() * to * headDim];
    for (int head = 0; head < config.numKeyValueHeads(); head++) {
      System.arraycopy(rows, head * from * headDim, shorter, head * to * headDim, to * headDim);
    }
    return shorter;
  }

  private record Uploaded(
      long queries, DeviceBuffer contextLengths, StepAddresses arrays, KvPools pools) {}

  private int numBlocks() {
    return sequences.stream().mapToInt(s -> Math.ceilDiv(s.contextLength(), blockSize)).sum();
  }

  private Uploaded upload(KernelDevice device, SplittableRandom random, KvCacheSpec cache) {
    long rows = cache.capacityTokens() * config.numKeyValueHeads();
    Pool keys = new Pool(device.output(rows * config.headDim() * format.elementBytes()), 0);
    Pool values = new Pool(device.output(rows * config.headDim() * format.elementBytes()), 1);
    DeviceBuffer scales = device.output(Math.max(1, 2 * rows * format.scaleBytes()));
    int[] blocks = shuffled(random, cache.numBlocks());
    int stride =
        SPARE_ENTRIES
            + sequences.stream()
                .mapToInt(s -> Math.ceilDiv(s.contextLength(), blockSize))
                .max()
                .orElseThrow();
    int[] tables = new int[sequences.size() * stride];
    Arrays.fill(tables, -1);
    int[] starts = new int[sequences.size() + 1];
    int[] contexts = new int[sequences.size()];
    float[] queries = new float[0];
    int used = 0;
    for (int i = 0; i < sequences.size(); i++) {
      Sequence sequence = sequences.get(i);
      starts[i + 1] = starts[i] + sequence.numTokens();
      contexts[i] = sequence.contextLength();
      int from = queries.length;
      queries = Arrays.copyOf(queries, from + sequence.queries().length);
      System.arraycopy(sequence.queries(), 0, queries, from, sequence.queries().length);
      for (int first = 0; first < sequence.contextLength(); first += blockSize) {
        int block = blocks[used++];
        tables[i * stride + first / blockSize] = block;
        store(keys, scales, block, sequence.keys(), sequence.contextLength(), first);
        store(values, scales, block, sequence.values(), sequence.contextLength(), first);
      }
    }
    DeviceBuffer contextLengths = device.upload(contexts);
    return new Uploaded(
        device.upload(format.queries(), queries).address(),
        contextLengths,
        new StepAddresses(
            device.upload(starts).address(),
            contextLengths.address(),
            device.upload(tables).address(),
            stride),
        new KvPools(
            keys.rows().address(), values.rows().address(), format.fp8() ? scales.address() : 0));
  }

  /// @param place of its scales among those of a row, 0 or 1
  private record Pool(DeviceBuffer rows, int place) {}

  private void store(
      Pool pool, DeviceBuffer scales, int block, float[] rows, int contextLength, int first) {
    int headDim = config.headDim();
    int count = Math.min(blockSize, contextLength - first);
    for (int head = 0; head < config.numKeyValueHeads(); head++) {
      int from = (head * contextLength + first) * headDim;
      float[] ofBlock = Arrays.copyOfRange(rows, from, from + count * headDim);
      long row = ((long) block * config.numKeyValueHeads() + head) * blockSize;
      long at = row * headDim * format.elementBytes();
      if (!format.fp8()) {
        copy(pool.rows(), at, KernelDevice.encode(type, ofBlock));
        continue;
      }
      copy(pool.rows(), at, Fp8Encoding.elements(ofBlock, headDim));
      for (int i = 0; i < count; i++) {
        byte[] scale = Fp8Encoding.scale(ofBlock, i * headDim, headDim);
        copy(scales, ((row + i) * 2 + pool.place()) * format.scaleBytes(), scale);
      }
    }
  }

  private static void copy(DeviceBuffer to, long at, byte[] bytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(bytes.length);
      host.copyFrom(MemorySegment.ofArray(bytes));
      to.copyFrom(host, at);
    }
  }

  private static int[] shuffled(SplittableRandom random, int count) {
    int[] order = new int[count];
    for (int i = 0; i < count; i++) {
      int j = random.nextInt(i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    return order;
  }

  /// Attention in float64.
  ///
  /// @param results `[numTokens][queryWidth]`
  /// @param magnitudes sums of weight times absolute value, which roundings of weights are relative
  ///   to
  record Expected(double[] results, double[] magnitudes) {}

  Expected expected() {
    int width = config.queryWidth();
    Expected all = new Expected(new double[numTokens() * width], new double[numTokens() * width]);
    int token = 0;
    for (Sequence sequence : sequences) {
      for (int i = 0; i < sequence.numTokens(); i++) {
        int visible = sequence.contextLength() - sequence.numTokens() + i + 1;
        for (int head = 0; head < config.numAttentionHeads(); head++) {
          attend(sequence, i, head, visible, all, token * width + head * config.headDim());
        }
        token++;
      }
    }
    return all;
  }

  private void attend(
      Sequence sequence, int token, int head, int visible, Expected all, int place) {
    int headDim = config.headDim();
    int width = config.queryWidth();
    int query = token * width + head * headDim;
    int kvHead = head / (config.numAttentionHeads() / config.numKeyValueHeads());
    int rows = kvHead * sequence.contextLength() * headDim;
    double[] weights = new double[Math.max(0, visible)];
    double largest = Double.NEGATIVE_INFINITY;
    for (int key = 0; key < visible; key++) {
      double score = 0;
      for (int i = 0; i < headDim; i++) {
        score += (double) sequence.queries()[query + i] * sequence.keys()[rows + key * headDim + i];
      }
      weights[key] = score / Math.sqrt(headDim);
      largest = Math.max(largest, weights[key]);
    }
    double sum = 0;
    for (int key = 0; key < visible; key++) {
      weights[key] = Math.exp(weights[key] - largest);
      sum += weights[key];
    }
    for (int key = 0; key < visible; key++) {
      for (int i = 0; i < headDim; i++) {
        double part = weights[key] / sum * sequence.values()[rows + key * headDim + i];
        all.results()[place + i] += part;
        all.magnitudes()[place + i] += Math.abs(part);
      }
    }
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    text.append(
        "%s, %d heads over %d of %d, blocks of %d:"
            .formatted(
                format,
                config.numAttentionHeads(),
                config.numKeyValueHeads(),
                config.headDim(),
                blockSize));
    sequences.forEach(s -> text.append(" %d of %d".formatted(s.numTokens(), s.contextLength())));
    return text.toString();
  }
}
