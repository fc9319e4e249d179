package io.cusco.llama.cpu;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.backend.Repack;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.LlamaModel;
import java.lang.management.ManagementFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The CPU as a device: one worker pool, shared by the models loaded on it, which therefore have to
/// be run by one thread at a time.
final class CpuBackend implements Backend {
  /// The KV pool may take this part of the machine's memory unless a size is asked for.
  private static final double KV_MEMORY_SHARE = 0.5;

  private static final Logger LOG = LoggerFactory.getLogger(CpuBackend.class);

  private final WorkerPool pool;
  private final Kernels kernels;
  private final Repack repack;

  CpuBackend(BackendOptions options) {
    this(options, KernelChoice.best());
  }

  CpuBackend(BackendOptions options, Kernels kernels) {
    if (options.device().orElse(0) != 0) {
      throw new LlamaException(
          "device %d: the CPU backend has one device, 0".formatted(options.device().getAsInt()));
    }
    this.kernels = kernels;
    repack = options.repack();
    pool = new WorkerPool(options.threads().orElse(Runtime.getRuntime().availableProcessors()));
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String device() {
    return "%d threads, %s".formatted(pool.numThreads(), kernels.description());
  }

  @Override
  public int threads() {
    return pool.numThreads();
  }

  @Override
  public LlamaModel load(LlamaConfig config, LlamaWeights weights, ModelOptions options) {
    if (options.compute() == ComputeMode.FP8) {
      throw new LlamaException(
          "compute fp8 needs the CUDA backend and a GPU of compute capability 8.9 or above, this is the CPU backend; use compute auto");
    }
    if (options.kvType() == KvType.FP8) {
      throw new LlamaException(
          "an FP8 KV cache is for GPUs; on the CPU it is float16, or float32 with --compute f32: leave"
              + " --kv-type out, or take a GPU with --backend cuda");
    }
    boolean half = options.compute() == ComputeMode.AUTO;
    KvCacheSpec spec = kvCacheSpec(config, options, half);
    LOG.info(
        "CPU: {}, KV cache of {} tokens in {} ({} MB, taken as it is used)",
        device(),
        spec.capacityTokens(),
        half ? "float16" : "float32",
        kvBytes(config, spec, half) >> 20);
    // In another order a single token would get other sums than in company.
    boolean exact = !half || options.deterministic();
    Repacking repacking = Repacking.choose(repack, exact, weights, kernels, physicalMemoryBytes());
    if (repacking.numBytes() > 0) {
      LOG.info(
          "CPU: the first decoded tokens copy weights to where they are read faster, {} MB",
          repacking.numBytes() >> 20);
    }
    return new CpuLlamaModel(config, weights, options, spec, half, repacking, kernels, pool);
  }

  private long kvBytes(LlamaConfig config, KvCacheSpec spec, boolean half) {
    return spec.numBlocks()
        * CpuKvCache.blockBytes(config, spec.blockSize(), half, kernels.lanes());
  }

  /// Room for every sequence's whole context, as far as memory allows; never less than one context.
  private KvCacheSpec kvCacheSpec(LlamaConfig config, ModelOptions options, boolean half) {
    int blockSize = options.kvBlockSize();
    if (options.kvBlocks().isPresent()) {
      return new KvCacheSpec(blockSize, options.kvBlocks().getAsInt());
    }
    int perSequence = Math.ceilDiv(options.maxContextLength(), blockSize);
    long blockBytes = CpuKvCache.blockBytes(config, blockSize, half, kernels.lanes());
    long affordable = (long) (physicalMemoryBytes() * KV_MEMORY_SHARE) / blockBytes;
    if (affordable < perSequence) {
      throw new LlamaException(
          "a context of %d tokens needs %.1f GB of KV cache, more than half of this machine's %.1f GB; lower the context length"
              .formatted(
                  options.maxContextLength(),
                  perSequence * (double) blockBytes / 1e9,
                  physicalMemoryBytes() / 1e9));
    }
    long wanted = (long) perSequence * options.maxSequences();
    return new KvCacheSpec(
        blockSize, (int) Math.min(Math.min(wanted, affordable), Integer.MAX_VALUE / blockSize));
  }

  private static long physicalMemoryBytes() {
    if (ManagementFactory.getOperatingSystemMXBean()
        instanceof com.sun.management.OperatingSystemMXBean system) {
      return system.getTotalMemorySize();
    }
    return Runtime.getRuntime().maxMemory();
  }

  @Override
  public void close() {
    pool.close();
  }
}
