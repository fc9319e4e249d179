package io.cusco.llama.cpu;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.cpu.kernels.AttentionState;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.KvTile;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Set;

/// Gets the kernels compiled before the first prompt meets them.
///
/// Until the compiler has taken up a kernel, its vectors are objects, hundreds of times slower than
/// instructions, and the compiler takes it up by the number of calls and turns: a large model would
/// spend seconds there, on the very cores that the compiler needs. Calling each kernel often on a
/// few hundred zeros gets there in a fraction of the time.
final class Warmup {
  /// Smaller models are done before their kernels are compiled.
  private static final long MIN_WEIGHT_BYTES = 64L << 20;

  /// Small, because the first calls are interpreted; large enough that some hundred calls make the
  /// turns of the inner loop that the compiler counts.
  private static final int COLUMNS = 2048;

  private static final int TILE_COLUMNS = 64;

  private static final int HEAD_DIM = 16;
  private static final int GROUP = 4;

  /// A round takes milliseconds before, a third of one when all kernels are compiled.
  private static final long COMPILED_ROUND_NANOS = 350_000;

  private static final long DEADLINE_NANOS = 800_000_000;

  private final Kernels kernels;
  private final Set<DType> types = EnumSet.noneOf(DType.class);
  private final boolean halfKvCache;
  private final MemorySegment zeros;
  private final MemorySegment out;
  private final AttentionState attention;
  private final float[] wide;
  private final float[] products;
  private final float[] part;

  private Warmup(Kernels kernels, LlamaWeights weights, boolean halfKvCache, Arena arena) {
    this.kernels = kernels;
    this.halfKvCache = halfKvCache;
    LlamaWeights.Layer layer = weights.layers().getFirst();
    types.add(layer.qProj().weight().dtype());
    types.add(layer.vProj().weight().dtype());
    types.add(layer.downProj().weight().dtype());
    types.add(weights.lmHead().dtype());
    zeros = NativeMemory.allocateZeroed(Float.BYTES * 4L * COLUMNS * kernels.lanes(), arena);
    out = NativeMemory.allocateZeroed(Float.BYTES * (long) COLUMNS, arena);
    int positions = Math.max(16, kernels.lanes());
    attention =
        new AttentionState(GROUP, HEAD_DIM, positions, Math.max(HEAD_DIM, kernels.lanes()), arena);
    wide = new float[kernels.tileRows() * COLUMNS];
    products = new float[kernels.tileRows() * 2 * kernels.lanes()];
    part = new float[products.length];
  }

  /// Warms up the kernels that a model of these weights needs; returns at once for small models.
  static void run(Kernels kernels, LlamaWeights weights, boolean halfKvCache) {
    TensorView sample = weights.layers().getFirst().gateProj().weight();
    if (sample.segment().byteSize() * weights.layers().size() * 3 < MIN_WEIGHT_BYTES) {
      return;
    }
    // Shared, like the arenas of models and checkpoints: the compiled code depends on the kind.
    try (Arena arena = Arena.ofShared()) {
      Warmup warmup = new Warmup(kernels, weights, halfKvCache, arena);
      long start = System.nanoTime();
      long roundStart;
      long now = start;
      do {
        roundStart = now;
        warmup.callEveryKernel();
        now = System.nanoTime();
      } while (now - roundStart > COMPILED_ROUND_NANOS && now - start < DEADLINE_NANOS);
    }
  }

  private void callEveryKernel() {
    for (int call = 0; call < 2; call++) {
      for (DType type : types) {
        Matrix row = new Matrix(type, zeros, 1, COLUMNS, type.numBytes(COLUMNS));
        kernels.widen(type, zeros, 0, COLUMNS, wide, 0);
        kernels.gemv(row, 0, 1, zeros, 0, out, 0, false, wide);
      }
      for (int vectors = 1; vectors <= 2; vectors++) {
        int rows = kernels.tileRows();
        int count = TILE_COLUMNS;
        int stride = vectors * kernels.lanes();
        kernels.tile(wide, 0, COLUMNS, rows, zeros, 0, vectors, count, products, 0, stride, part);
      }
      attend();
      kernels.rmsNorm(zeros, 0, zeros, 1e-5f, COLUMNS, out, 0);
      kernels.siluMul(out, 0, zeros, 0, COLUMNS);
    }
  }

  private void attend() {
    int valueStride = Math.max(HEAD_DIM, kernels.lanes());
    int positions = Math.max(16, kernels.lanes());
    KvTile tile = new KvTile(zeros, zeros, halfKvCache, HEAD_DIM, positions, valueStride);
    attention.reset();
    kernels.attendTile(tile, 0, 0, positions, zeros, 0, attention);
  }
}
