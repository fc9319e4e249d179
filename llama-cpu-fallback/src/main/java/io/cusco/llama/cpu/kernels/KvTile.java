package io.cusco.llama.cpu.kernels;

import java.lang.foreign.MemorySegment;

/// How one layer's keys and values lie in the paged cache.
///
/// A tile holds one KV block of one key/value head. Keys are stored transposed, so that the scores of
/// neighbouring positions are the lanes of one vector and need no horizontal sum:
///
/// ```
/// keys    [block][kvHead][headDim][positions]
/// values  [block][kvHead][positions][valueStride]
/// ```
///
/// `positions` is the block size rounded up to whole vectors, `valueStride` the head size likewise;
/// the padding stays zero.
///
/// @param keys all blocks' keys
/// @param values all blocks' values
/// @param half whether elements are float16 instead of float32
public record KvTile(
    MemorySegment keys,
    MemorySegment values,
    boolean half,
    int headDim,
    int positions,
    int valueStride) {

  public int elementBytes() {
    return half ? Short.BYTES : Float.BYTES;
  }

  /// Bytes of one head's keys in one block.
  public long keyTileBytes() {
    return (long) headDim * positions * elementBytes();
  }

  /// Bytes of one head's values in one block.
  public long valueTileBytes() {
    return (long) positions * valueStride * elementBytes();
  }
}
