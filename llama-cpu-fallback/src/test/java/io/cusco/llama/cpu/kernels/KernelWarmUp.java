package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.BlockQuantizer;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Supplier;

/// The program that [KernelInliningTest] watches: runs every hot vector kernel until the JIT
/// compiler has optimised it. Ends with an exception if a kernel that sums gives other bits then
/// than it gave the first time, interpreted.
final class KernelWarmUp {
  /// On two cores a kernel is compiled for good after less than half of this.
  private static final long NANOS_PER_KERNEL = 250_000_000;

  private static final int ROWS = 32;
  private static final int COLUMNS = 1024;
  private static final int HEAD_DIM = 64;
  private static final int POSITIONS = 16;
  private static final int GROUP = 4;
  private static final long SEED = 11;

  private final Arena arena = Arena.ofShared();
  private final Kernels kernels;
  private final long nanosPerKernel;
  private final MemorySegment x;
  private final MemorySegment out;
  private final float[] wide = new float[ROWS * COLUMNS];
  private final Random random = new Random(SEED);
  private final int[] touched = new int[1];

  KernelWarmUp(Kernels kernels, long nanosPerKernel) {
    this.kernels = kernels;
    this.nanosPerKernel = nanosPerKernel;
    x = floats(COLUMNS * 2 * kernels.lanes());
    out = floats(COLUMNS * 2 * kernels.lanes());
    for (int i = 0; i < wide.length; i++) {
      wide[i] = random.nextFloat(-1, 1);
    }
    fill(x);
  }

  /// Prints nothing itself.
  public static void main(String[] args) {
    new KernelWarmUp(new VectorKernels(), NANOS_PER_KERNEL).run();
  }

  /// Runs every kernel, each for a while.
  void run() {
    for (DType type : DType.values()) {
      weights(type);
    }
    packedWeights();
    interleavedWeights();
    products();
    gather();
    elementwise();
    rowWeights();
    for (int group : new int[] {GROUP, 1}) {
      attention(group, false);
      attention(group, true);
    }
  }

  private MemorySegment floats(int count) {
    return NativeMemory.allocateZeroed((long) count * Float.BYTES, arena);
  }

  private void fill(MemorySegment floats) {
    for (long i = 0; i < floats.byteSize(); i += Float.BYTES) {
      floats.set(ValueLayout.JAVA_FLOAT, i, random.nextFloat(-1, 1));
    }
  }

  private void repeat(String name, Runnable kernel, Supplier<float[]> result) {
    kernel.run();
    float[] interpreted = result.get();
    repeat(kernel);
    if (!Arrays.equals(interpreted, result.get())) {
      throw new IllegalStateException(name + " gives other bits once it is compiled");
    }
  }

  private void repeat(Runnable kernel) {
    long end = System.nanoTime() + nanosPerKernel;
    do {
      kernel.run();
    } while (System.nanoTime() < end);
  }

  private void weights(DType type) {
    MemorySegment blocks = NativeMemory.allocateZeroed(type.numBytes((long) ROWS * COLUMNS), arena);
    Matrix matrix = new Matrix(type, blocks, ROWS, COLUMNS, type.numBytes(COLUMNS));
    float[] scratch = new float[Kernels.GEMV_SCRATCH];
    if (type.blockSize() == 1 || type == DType.Q8_0 || type == DType.Q4_0) {
      for (int row = 0; row < ROWS; row++) {
        BlockQuantizer.quantize(type, wide, row, COLUMNS, blocks, row * type.numBytes(COLUMNS));
      }
    }
    repeat(
        "gemv of " + type,
        () -> kernels.gemv(matrix, 0, ROWS, x, 0, out, 0, false, scratch),
        () -> out.asSlice(0, ROWS * 4L).toArray(ValueLayout.JAVA_FLOAT));
    float[] products = new float[8 * ROWS];
    repeat(
        "8 tokens times " + type,
        () -> kernels.multiplyRows(matrix, 0, ROWS, x, COLUMNS * 4L, 8, products, ROWS, scratch),
        products::clone);
    float[] widened = new float[COLUMNS];
    repeat(() -> kernels.widen(type, blocks, 0, COLUMNS, widened, 0));
  }

  private void packedWeights() {
    QuantizedActivations quantized = new QuantizedActivations(COLUMNS);
    repeat(() -> kernels.quantize(x, 0, COLUMNS, quantized));
    float[] scratch = new float[Kernels.GEMV_SCRATCH];
    for (DType type : KernelCases.REORDERED) {
      long rowBytes = type.numBytes(COLUMNS);
      MemorySegment blocks = NativeMemory.allocateZeroed(ROWS * rowBytes, arena);
      for (long i = 0; i < blocks.byteSize(); i++) {
        blocks.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt(0x30)); // no scale is NaN
      }
      PackedMatrix packed =
          new PackedMatrix(new Matrix(type, blocks, ROWS, COLUMNS, rowBytes), arena);
      packed.fill(0, ROWS / PackedMatrix.GROUP);
      repeat(
          "packed gemv of " + type,
          () -> kernels.gemvPacked(packed, 0, ROWS / 16, quantized, out, false, scratch),
          () -> out.asSlice(0, ROWS * 4L).toArray(ValueLayout.JAVA_FLOAT));
    }
  }

  private void interleavedWeights() {
    long rowBytes = DType.Q8_0.numBytes(COLUMNS);
    MemorySegment blocks = NativeMemory.allocateZeroed(ROWS * rowBytes, arena);
    for (int row = 0; row < ROWS; row++) {
      BlockQuantizer.quantize(DType.Q8_0, wide, row, COLUMNS, blocks, row * rowBytes);
    }
    Matrix matrix = new Matrix(DType.Q8_0, blocks, ROWS, COLUMNS, rowBytes);
    InterleavedMatrix interleaved =
        new InterleavedMatrix(
            matrix, NativeMemory.allocateZeroed(InterleavedMatrix.numBytes(matrix), arena));
    interleaved.fill(0, interleaved.numGroups());
    float[] scratch = new float[Kernels.GEMV_SCRATCH];
    repeat(
        "interleaved gemv",
        () -> kernels.gemvInterleaved(interleaved, 0, ROWS, x, out, false, scratch),
        () -> out.asSlice(0, ROWS * 4L).toArray(ValueLayout.JAVA_FLOAT));
    for (int tokens : new int[] {4, 12, 20}) {
      float[] copied = new float[tokens * Kernels.WIDE_STRIDE];
      System.arraycopy(wide, 0, copied, 0, copied.length);
      float[] c = new float[tokens * InterleavedMatrix.PAIR];
      repeat(
          tokens + " tokens times interleaved weights",
          () -> {
            Arrays.fill(c, 0);
            kernels.multiplyInterleaved(
                interleaved,
                0,
                0,
                COLUMNS,
                copied,
                0,
                tokens,
                c,
                0,
                InterleavedMatrix.PAIR,
                scratch);
          },
          c::clone);
    }
    MemorySegment panels = floats(InterleavedMatrix.PAIR * COLUMNS);
    repeat(() -> kernels.widenInterleaved(interleaved, 0, 0, COLUMNS, panels, 0, scratch));
  }

  private void products() {
    float[] w = new float[Kernels.TILE_ROWS * Kernels.WIDE_STRIDE];
    for (int i = 0; i < w.length; i++) {
      w[i] = random.nextFloat(-1, 1);
    }
    float[] c = new float[Kernels.TILE_ROWS * kernels.panelVectors() * kernels.lanes()];
    float[] sums = new float[Kernels.TILE_ROWS];
    for (int vectors = 1; vectors <= kernels.panelVectors(); vectors++) {
      int width = vectors;
      repeat(
          width + " vectors of tokens",
          () -> {
            Arrays.fill(c, 0);
            kernels.multiplyPanel(w, 0, x, 0, width, Kernels.WIDE_COLUMNS, c, 0);
          },
          c::clone);
      repeat(
          "a vector of tokens, reading ahead",
          () -> {
            Arrays.fill(c, 0);
            touched[0] +=
                kernels.multiplyPanelAhead(
                    w, 0, x, 0, Kernels.WIDE_COLUMNS, c, 0, x, 0, x.byteSize());
          },
          c::clone);
      repeat(
          width + " tokens",
          () -> {
            Arrays.fill(c, 0);
            kernels.multiplyTokens(w, 0, x, 0, COLUMNS * 4L, width, Kernels.WIDE_COLUMNS, c, 0);
            for (int row = 0; row < sums.length; row++) {
              sums[row] = kernels.sumLanes(c, row * width * kernels.lanes());
            }
          },
          sums::clone);
    }
  }

  private void gather() {
    int[] multiples = new int[kernels.lanes() + 1];
    Arrays.setAll(multiples, i -> i * ROWS);
    float[] row = new float[COLUMNS];
    repeat(() -> kernels.gather(wide, 1, multiples, COLUMNS, row, 0));
  }

  private void rowWeights() {
    int width = kernels.panelVectors() * kernels.lanes();
    float[] weights = new float[4 * width];
    float[] maximum = new float[1];
    float[] sum = new float[1];
    repeat(
        "row weights",
        () -> {
          maximum[0] = Float.NEGATIVE_INFINITY;
          sum[0] = 0;
          kernels.weighRow(
              wide, 0, width, width, 1, 4 * width - 3, 4 * width, maximum, sum, 0, weights, 0);
        },
        sum::clone);
    MemorySegment halves = floats(COLUMNS);
    repeat(() -> kernels.widenRows(halves, true, 0, 64, 16, 32, out, 0, 128));
  }

  private void elementwise() {
    repeat(() -> kernels.rmsNorm(x, 0, x, 1e-5f, COLUMNS, out, 0));
    repeat(() -> kernels.siluMul(out, 0, x, 0, COLUMNS));
  }

  private void attention(int group, boolean half) {
    int lanes = kernels.lanes();
    int positions = Math.ceilDiv(POSITIONS, lanes) * lanes;
    MemorySegment keys = floats(HEAD_DIM * positions);
    if (!half) {
      fill(keys); // as halves the same bits would be any number and NaN
    }
    KvTile tile =
        new KvTile(keys, floats(HEAD_DIM * positions), half, HEAD_DIM, positions, HEAD_DIM);
    AttentionState state = new AttentionState(group, HEAD_DIM, positions, HEAD_DIM, arena);
    repeat(
        "attention",
        () -> {
          state.begin(x, 0);
          kernels.attendTile(tile, 0, 0, positions, state);
        },
        () -> state.sum.clone());
  }
}
