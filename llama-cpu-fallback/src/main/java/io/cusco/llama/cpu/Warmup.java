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
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
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

  /// Sizes at which an inner loop makes about thirty turns. The compiler takes a method up after
  /// some hundred calls with some thousand turns; more turns a call would only take longer.
  private static final int COLUMNS = 2048;

  private static final int WIDEN_COLUMNS = 1024;
  private static final int TILE_COLUMNS = 32;
  private static final int VECTOR_SIZE = 512;
  private static final int HEAD_DIM = 64;
  private static final int GROUP = 4;

  /// No kernel takes longer for its few columns once it is compiled; before, all take much longer.
  private static final long COMPILED_NANOS = 6_000;

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
    products = new float[kernels.tileRows() * kernels.lanes()];
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
      List<Runnable> pending = new Warmup(kernels, weights, halfKvCache, arena).calls();
      long deadline = System.nanoTime() + DEADLINE_NANOS;
      while (!pending.isEmpty() && System.nanoTime() < deadline) {
        pending.removeIf(Warmup::isCompiled);
      }
    }
  }

  /// Calls a kernel a few times; compiled code shows by its speed.
  private static boolean isCompiled(Runnable call) {
    long fastest = Long.MAX_VALUE;
    for (int i = 0; i < 4; i++) {
      long start = System.nanoTime();
      call.run();
      fastest = Math.min(fastest, System.nanoTime() - start);
    }
    return fastest < COMPILED_NANOS;
  }

  /// What a short prompt and the first tokens after it need; long prompts meet further kernels, and
  /// have the time to see them compiled.
  private List<Runnable> calls() {
    List<Runnable> calls = new ArrayList<>();
    calls.add(this::tile);
    for (DType type : types) {
      Matrix row = new Matrix(type, zeros, 1, COLUMNS, type.numBytes(COLUMNS));
      calls.add(() -> kernels.widen(type, zeros, 0, WIDEN_COLUMNS, wide, 0));
      calls.add(() -> kernels.gemv(row, 0, 1, zeros, 0, out, 0, false, wide));
    }
    calls.add(this::attend);
    calls.add(() -> kernels.siluMul(out, 0, zeros, 0, VECTOR_SIZE));
    return calls;
  }

  private void tile() {
    kernels.tile(
        wide,
        0,
        COLUMNS,
        kernels.tileRows(),
        zeros,
        0,
        1,
        TILE_COLUMNS,
        products,
        0,
        kernels.lanes(),
        part);
  }

  private void attend() {
    int valueStride = Math.max(HEAD_DIM, kernels.lanes());
    int positions = Math.max(16, kernels.lanes());
    KvTile tile = new KvTile(zeros, zeros, halfKvCache, HEAD_DIM, positions, valueStride);
    attention.reset();
    kernels.attendTile(tile, 0, 0, positions, zeros, 0, attention);
  }
}
