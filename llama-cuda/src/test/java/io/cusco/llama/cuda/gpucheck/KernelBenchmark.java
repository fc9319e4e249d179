package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.backend.KvType;
import io.cusco.llama.cuda.ShippedKernels;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.ElementType;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.sampling.SamplingParams;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.Consumer;

/// Single kernels: attention while decoding (K1) and over prompts (K2) by the device's clock,
/// sampling (K3) by the wall's. Operands are random and larger than any cache, blocks of the KV
/// cache scattered.
final class KernelBenchmark {
  private static final int BLOCK_SIZE = 16;

  /// Some tokens stand out, as in a model's logits.
  private static final double LOGIT_SPREAD = 3;

  private static final SamplingParams DRAW =
      SamplingParams.builder().temperature(0.8f).topK(50).topP(0.95f).seed(1).build();

  private final CudaContext context;
  private final Sizes sizes;
  private final Findings findings;
  private final List<Measurement> torch;
  private final TimeShare share;
  private final Consumer<Measurement> found;
  private boolean allRan = true;

  /// @param findings what percentages are of
  /// @param torch rows of [TorchAttention], what others are of
  /// @param found gets each row as soon as it is measured
  KernelBenchmark(
      CudaContext context,
      Sizes sizes,
      Findings findings,
      List<Measurement> torch,
      TimeShare share,
      Consumer<Measurement> found) {
    this.context = context;
    this.sizes = sizes;
    this.findings = findings;
    this.torch = torch;
    this.share = share;
    this.found = found;
  }

  /// @param decodeBatch sequences of one token
  /// @param decodeContext keys that each of them sees
  /// @param prefillTokens tokens of a step of prompts
  /// @param prefillLengths lengths of those prompts
  /// @param drawStep name of the row of benchmarks that sampling is a part of
  record Sizes(
      int heads,
      int keyValueHeads,
      int headDim,
      int decodeBatch,
      int decodeContext,
      int prefillTokens,
      List<Integer> prefillLengths,
      int drawRows,
      int vocabSize,
      String drawStep,
      int warmUps,
      int runs) {

    String shape() {
      return "%d heads over %d of %d".formatted(heads, keyValueHeads, headDim);
    }

    /// Prompts of a length in one step.
    int prompts(int length) {
      return Math.max(1, prefillTokens / length);
    }

    /// What this project's and others' rows of one shape begin with.
    String prefillName(int length) {
      return "prefill attention, %s, %d prompts of %d".formatted(shape(), prompts(length), length);
    }
  }

  /// What fails gets a row that says so, and the others are measured.
  ///
  /// @return whether nothing failed
  boolean measure() {
    try (ShippedKernels kernels = new ShippedKernels(context);
        CudaStream stream = CudaStream.create(context)) {
      GpuTimer timer = new GpuTimer(stream, sizes.warmUps, sizes.runs);
      for (KvType kvType : KvType.values()) {
        attempt("K1", decodeName(kvType), () -> decode(kernels, stream, timer, kvType));
      }
      for (int length : sizes.prefillLengths) {
        attempt("K2", sizes.prefillName(length), () -> prefill(kernels, stream, timer, length));
      }
      attempt("K3", drawName(), () -> draw(kernels, stream));
    }
    return allRan;
  }

  private interface Attempt {
    Measurement run();
  }

  private void attempt(String id, String name, Attempt attempt) {
    Measurement measured;
    try {
      measured = share.isSpent() ? Measurement.missing(id, name, share.leaveOut()) : attempt.run();
    } catch (RuntimeException e) {
      e.printStackTrace();
      allRan = false;
      measured = Measurement.missing(id, name, "failed: " + e.getMessage());
    }
    found.accept(measured);
  }

  private String decodeName(KvType kvType) {
    return "decode attention, %s, batch %d, context %d%s"
        .formatted(
            sizes.shape(),
            sizes.decodeBatch,
            sizes.decodeContext,
            kvType == KvType.FP8 ? ", FP8 KV" : "");
  }

  private Measurement decode(
      ShippedKernels kernels, CudaStream stream, GpuTimer timer, KvType kvType) {
    if (kvType == KvType.FP8 && !context.device().hasCompute(8, 9)) {
      return Measurement.missing("K1", decodeName(kvType), "the GPU has no FP8 instructions");
    }
    int batch = sizes.decodeBatch;
    int blocks = batch * Math.ceilDiv(sizes.decodeContext, BLOCK_SIZE);
    KvCacheSpec cache = new KvCacheSpec(BLOCK_SIZE, blocks);
    StepInput step = BenchmarkStep.of(cache, 1, batch, 0, batch, sizes.decodeContext - 1, 1);
    double keyValueBytes =
        2.0
            * batch
            * sizes.decodeContext
            * sizes.keyValueHeads
            * Roofline.rowBytes(sizes.headDim, kvType);
    Timing timing = attend(kernels, stream, timer, kvType, cache, step);
    return Measurement.of("K1", decodeName(kvType), "gpu", timing, keyValueBytes, "B/s")
        .rateAgainst("copy bandwidth", findings.copyRate());
  }

  private Measurement prefill(
      ShippedKernels kernels, CudaStream stream, GpuTimer timer, int length) {
    int prompts = sizes.prompts(length);
    KvCacheSpec cache = new KvCacheSpec(BLOCK_SIZE, prompts * Math.ceilDiv(length, BLOCK_SIZE));
    StepInput step = BenchmarkStep.of(cache, 1, prompts, 0, prompts, 0, length);
    double flops = prompts * Roofline.attentionFlops(sizes.heads, sizes.headDim, length);
    Timing timing = attend(kernels, stream, timer, KvType.AUTO, cache, step);
    String name = sizes.prefillName(length);
    Measurement measured =
        Measurement.of("K2", name, "gpu", timing, flops, "FLOP/s")
            .rateAgainst("bf16 product", findings.productRate());
    for (TorchAttention.Kind kind : TorchAttention.Kind.values()) {
      String theirs = kind.rowName(name);
      measured =
          measured.rateAgainst(
              kind.text(),
              torch.stream()
                  .filter(row -> row.name().equals(theirs) && row.timing().isPresent())
                  .mapToDouble(Measurement::rate)
                  .findFirst());
    }
    return measured;
  }

  private Timing attend(
      ShippedKernels kernels,
      CudaStream stream,
      GpuTimer timer,
      KvType kvType,
      KvCacheSpec cache,
      StepInput step) {
    try (ShippedKernels.Attention attention =
        kernels.attention(sizes.heads, sizes.keyValueHeads, sizes.headDim, kvType, cache, step)) {
      for (ShippedKernels.Attention.Operand operand : attention.operands()) {
        RandomFill.gaussian(operand.buffer(), operand.type(), 1, stream);
      }
      return timer.time(_ -> attention.queue(stream));
    }
  }

  private String drawName() {
    return "sampling, temperature %.1f, top-k %d, top-p %.2f, batch %d over %d logits"
        .formatted(DRAW.temperature(), DRAW.topK(), DRAW.topP(), sizes.drawRows, sizes.vocabSize);
  }

  private Measurement draw(ShippedKernels kernels, CudaStream stream) {
    BenchmarkDraws draws = new BenchmarkDraws(sizes.drawRows, DRAW);
    int[] ids = new int[sizes.drawRows];
    try (ShippedKernels.Sampling sampling = kernels.sampling(sizes.drawRows, sizes.vocabSize)) {
      RandomFill.gaussian(sampling.logits(), ElementType.F32, LOGIT_SPREAD, stream);
      // As a step waits for it: parameters up, the draws, tokens down.
      Timing timing =
          Timing.wall(
              () -> {
                sampling.queue(stream, draws);
                sampling.collect(draws, ids);
              },
              sizes.warmUps,
              sizes.runs,
              share);
      Measurement measured =
          Measurement.of("K3", drawName(), "wall", timing, sizes.drawRows, "tokens/s");
      OptionalDouble step = findings.medianMillis("D3", sizes.drawStep);
      return step.isPresent()
          ? measured.percent("D3 step", 100 * 1e3 * timing.median() / step.getAsDouble())
          : measured;
    }
  }
}
