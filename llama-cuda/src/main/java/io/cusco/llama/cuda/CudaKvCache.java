package io.cusco.llama.cuda;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.CudaKernels.KvPools;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.model.KvCacheSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// The paged KV cache on the device: two pools per layer, keys and values, each `[numBlocks,
/// numKeyValueHeads, blockSize, headDim]`, and in FP8 the scales of their rows, `[numBlocks,
/// numKeyValueHeads, blockSize]` of a key's and a value's. Contents are unspecified until stored.
final class CudaKvCache implements AutoCloseable {
  /// Part of the free memory that the pool may take if no size is asked for: the rest is for other
  /// programs, the driver's own needs and graphs.
  private static final double MEMORY_SHARE = 0.9;

  private final List<DeviceBuffer> buffers = new ArrayList<>();
  private final List<KvPools> layers = new ArrayList<>();

  CudaKvCache(CudaContext context, LlamaConfig config, KvCacheSpec spec, KvFormat format) {
    long rows = Math.multiplyExact(spec.capacityTokens(), config.numKeyValueHeads());
    long poolBytes = Math.multiplyExact(rows, config.headDim() * format.elementBytes());
    try {
      for (int i = 0; i < config.numLayers(); i++) {
        long keys = allocate(context, "keys of layer " + i, poolBytes);
        long values = allocate(context, "values of layer " + i, poolBytes);
        long scales =
            format.fp8()
                ? allocate(context, "scales of layer " + i, 2 * rows * format.scaleBytes())
                : 0;
        layers.add(new KvPools(keys, values, scales));
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private long allocate(CudaContext context, String name, long numBytes) {
    DeviceBuffer buffer = DeviceBuffer.allocate(context, name, numBytes);
    buffers.add(buffer);
    return buffer.address();
  }

  /// Room for every sequence's whole context, as far as the device's free memory goes; never less
  /// than one context.
  ///
  /// @param reservedBytes what is still to be allocated beside the cache
  /// @throws LlamaException if one context does not fit
  static KvCacheSpec spec(
      CudaContext context,
      LlamaConfig config,
      ModelOptions options,
      KvFormat format,
      long reservedBytes) {
    int blockSize = options.kvBlockSize();
    if (options.kvBlocks().isPresent()) {
      return new KvCacheSpec(blockSize, options.kvBlocks().getAsInt());
    }
    int perSequence = Math.ceilDiv(options.maxContextLength(), blockSize);
    long blockBytes = blockBytes(config, blockSize, format);
    long free = Math.max(0, context.freeBytes() - reservedBytes);
    long affordable = (long) (free * MEMORY_SHARE) / blockBytes;
    if (affordable < perSequence) {
      throw new LlamaException(
          String.format(
              Locale.ROOT,
              "a context of %d tokens needs %.2f GB of KV cache, %.2f GB are left for it on %s; lower"
                  + " the context length or take a smaller or quantised model%s",
              options.maxContextLength(),
              perSequence * (double) blockBytes / 1e9,
              free * MEMORY_SHARE / 1e9,
              context.device().label(),
              format.fp8() || !context.device().hasCompute(8, 9) ? "" : ", or --kv-type fp8"));
    }
    long wanted = (long) perSequence * options.maxSequences();
    return new KvCacheSpec(
        blockSize, (int) Math.min(Math.min(wanted, affordable), Integer.MAX_VALUE / blockSize));
  }

  /// Bytes of one block of all layers, keys and values.
  static long blockBytes(LlamaConfig config, int blockSize, KvFormat format) {
    long rows = Math.multiplyExact((long) config.numKeyValueHeads() * blockSize, 2L);
    return rows * config.numLayers() * format.rowBytes(config.headDim());
  }

  KvPools layer(int layer) {
    return layers.get(layer);
  }

  long numBytes() {
    return buffers.stream().mapToLong(DeviceBuffer::numBytes).sum();
  }

  @Override
  public void close() {
    buffers.forEach(DeviceBuffer::close);
  }
}
