package io.cusco.llama.cpu;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cpu.kernels.KvTile;
import io.cusco.llama.memory.NativeMemory;
import io.cusco.llama.model.KvCacheSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The paged KV cache in memory whose pages the system provides on first touch. Layout: [KvTile].
final class CpuKvCache {
  private final KvCacheSpec spec;
  private final int numKeyValueHeads;
  private final int headDim;
  private final KvTile[] layers;

  CpuKvCache(LlamaConfig config, KvCacheSpec spec, boolean half, int lanes, Arena arena) {
    this.spec = spec;
    numKeyValueHeads = config.numKeyValueHeads();
    headDim = config.headDim();
    int positions = Math.ceilDiv(spec.blockSize(), lanes) * lanes;
    int valueStride = Math.ceilDiv(headDim, lanes) * lanes;
    layers = new KvTile[config.numLayers()];
    for (int i = 0; i < layers.length; i++) {
      KvTile shape =
          new KvTile(
              MemorySegment.NULL, MemorySegment.NULL, half, headDim, positions, valueStride);
      long tiles = Math.multiplyExact((long) spec.numBlocks(), numKeyValueHeads);
      layers[i] =
          new KvTile(
              NativeMemory.allocateZeroed(
                  Math.multiplyExact(tiles, shape.keyTileBytes()), arena),
              NativeMemory.allocateZeroed(
                  Math.multiplyExact(tiles, shape.valueTileBytes()), arena),
              half,
              headDim,
              positions,
              valueStride);
    }
  }

  /// Bytes that one block takes in all layers.
  static long blockBytes(LlamaConfig config, int blockSize, boolean half, int lanes) {
    int positions = Math.ceilDiv(blockSize, lanes) * lanes;
    int valueStride = Math.ceilDiv(config.headDim(), lanes) * lanes;
    KvTile tile =
        new KvTile(
            MemorySegment.NULL,
            MemorySegment.NULL,
            half,
            config.headDim(),
            positions,
            valueStride);
    long perHead = tile.keyTileBytes() + tile.valueTileBytes();
    return Math.multiplyExact(
        perHead, (long) config.numKeyValueHeads() * config.numLayers());
  }

  KvTile layer(int layer) {
    return layers[layer];
  }

  long keyOffset(KvTile tile, int block, int head) {
    return ((long) block * numKeyValueHeads + head) * tile.keyTileBytes();
  }

  long valueOffset(KvTile tile, int block, int head) {
    return ((long) block * numKeyValueHeads + head) * tile.valueTileBytes();
  }

  /// Stores one head's key and value, `[headDim]` each, in `slot`.
  void store(
      int layer,
      int slot,
      int head,
      MemorySegment key,
      long keyAt,
      MemorySegment value,
      long valueAt) {
    KvTile tile = layers[layer];
    int block = slot / spec.blockSize();
    int position = slot % spec.blockSize();
    long toKey = keyOffset(tile, block, head) + (long) position * tile.elementBytes();
    long toValue =
        valueOffset(tile, block, head)
            + (long) position * tile.valueStride() * tile.elementBytes();
    long keyStep = (long) tile.positions() * tile.elementBytes();
    if (tile.half()) {
      for (int i = 0; i < headDim; i++) {
        short k = Float.floatToFloat16(key.get(ValueLayout.JAVA_FLOAT, keyAt + i * 4L));
        short v = Float.floatToFloat16(value.get(ValueLayout.JAVA_FLOAT, valueAt + i * 4L));
        tile.keys().set(ValueLayout.JAVA_SHORT, toKey + i * keyStep, k);
        tile.values().set(ValueLayout.JAVA_SHORT, toValue + i * 2L, v);
      }
    } else {
      for (int i = 0; i < headDim; i++) {
        float k = key.get(ValueLayout.JAVA_FLOAT, keyAt + i * 4L);
        float v = value.get(ValueLayout.JAVA_FLOAT, valueAt + i * 4L);
        tile.keys().set(ValueLayout.JAVA_FLOAT, toKey + i * keyStep, k);
        tile.values().set(ValueLayout.JAVA_FLOAT, toValue + i * 4L, v);
      }
    }
  }
}
