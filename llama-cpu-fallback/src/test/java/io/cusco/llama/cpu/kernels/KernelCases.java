package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/// Calls of every kernel at sizes of a real model, by name: [KernelCasesTest] compares what two
/// implementations make of a case, [KernelBenchmark] times it. Data come from a fixed seed and do
/// not depend on the kernels; layouts that do (token panels) are made from the same numbers.
final class KernelCases {
  static final long SEED = 20261121;

  /// The types whose copies have another order.
  static final List<DType> REORDERED =
      List.of(DType.Q4_0, DType.Q4_1, DType.Q5_0, DType.Q5_1, DType.Q4_K, DType.Q5_K, DType.Q6_K);

  private static final int ROWS = 64;
  private static final int COLUMNS = 2048;
  private static final int TOKENS = 32;
  private static final int HEAD_DIM = 64;
  private static final int GROUP = 4;
  private static final int POSITIONS = 128;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final Random random = new Random(SEED);
  private final Kernels kernels;
  private final Arena arena;

  private KernelCases(Kernels kernels, Arena arena) {
    this.kernels = kernels;
    this.arena = arena;
  }

  /// A call that can be repeated; `result` is what it has left behind, the same for all kernels.
  interface Case {
    void run();

    float[] result();
  }

  static List<String> names() {
    List<String> names = new ArrayList<>();
    for (DType type : DType.values()) {
      names.add("gemv-" + type);
      names.add("widen-" + type);
      names.add("multiplyRows-" + type);
    }
    for (DType type : REORDERED) {
      names.add("gemvPacked-" + type);
    }
    names.addAll(
        List.of(
            "quantize",
            "gemvInterleaved",
            "multiplyInterleaved",
            "widenInterleaved",
            "multiplyPanel",
            "multiplyPanelAhead",
            "gather",
            "multiplyTokens",
            "rmsNorm",
            "siluMul",
            "attendTile-F32",
            "attendTile-F16",
            "weighRow",
            "widenRows"));
    return names;
  }

  /// @throws IllegalArgumentException if `name` is none of [#names()]
  static Case of(String name, Kernels kernels, Arena arena) {
    KernelCases cases = new KernelCases(kernels, arena);
    int dash = name.indexOf('-');
    String kernel = dash < 0 ? name : name.substring(0, dash);
    DType type = dash < 0 ? null : DType.valueOf(name.substring(dash + 1));
    return switch (kernel) {
      case "gemv" -> cases.gemv(type);
      case "widen" -> cases.widen(type);
      case "multiplyRows" -> cases.multiplyRows(type);
      case "gemvPacked" -> cases.gemvPacked(type);
      case "quantize" -> cases.quantize();
      case "gemvInterleaved" -> cases.gemvInterleaved();
      case "multiplyInterleaved" -> cases.multiplyInterleaved();
      case "widenInterleaved" -> cases.widenInterleaved();
      case "multiplyPanel" -> cases.multiplyPanel();
      case "multiplyPanelAhead" -> cases.multiplyPanelAhead();
      case "gather" -> cases.gather();
      case "multiplyTokens" -> cases.multiplyTokens();
      case "rmsNorm" -> cases.rmsNorm();
      case "siluMul" -> cases.siluMul();
      case "attendTile" -> cases.attendTile(type == DType.F16);
      case "weighRow" -> cases.weighRow();
      case "widenRows" -> cases.widenRows();
      default -> throw new IllegalArgumentException("no kernel case is called " + name);
    };
  }

  private record Call(Runnable kernel, java.util.function.Supplier<float[]> output)
      implements Case {
    @Override
    public void run() {
      kernel.run();
    }

    @Override
    public float[] result() {
      return output.get();
    }
  }

  private Case gemv(DType type) {
    Matrix matrix = matrix(type);
    MemorySegment x = floats(COLUMNS);
    MemorySegment out = floats(ROWS);
    float[] scratch = new float[Kernels.GEMV_SCRATCH];
    return new Call(
        () -> kernels.gemv(matrix, 0, ROWS, x, 0, out, 0, false, scratch),
        () -> out.toArray(FLOAT));
  }

  private Case multiplyRows(DType type) {
    int tokens = 8;
    Matrix matrix = matrix(type);
    MemorySegment x = floats(tokens * COLUMNS);
    float[] out = new float[tokens * ROWS];
    float[] scratch = new float[Kernels.GEMV_SCRATCH];
    return new Call(
        () -> kernels.multiplyRows(matrix, 0, ROWS, x, COLUMNS * 4L, tokens, out, ROWS, scratch),
        out::clone);
  }

  private Case widen(DType type) {
    Matrix matrix = matrix(type);
    float[] out = new float[COLUMNS];
    return new Call(() -> kernels.widen(type, matrix.segment(), 0, COLUMNS, out, 0), out::clone);
  }

  private Case gemvPacked(DType type) {
    PackedMatrix packed = new PackedMatrix(matrix(type), arena);
    packed.fill(0, ROWS / PackedMatrix.GROUP);
    QuantizedActivations x = new QuantizedActivations(COLUMNS);
    kernels.quantize(floats(COLUMNS), 0, COLUMNS, x);
    MemorySegment out = floats(ROWS);
    float[] scratch = new float[Kernels.GEMV_SCRATCH];
    return new Call(
        () -> kernels.gemvPacked(packed, 0, ROWS / PackedMatrix.GROUP, x, out, false, scratch),
        () -> out.toArray(FLOAT));
  }

  private InterleavedMatrix interleaved() {
    Matrix matrix = matrix(DType.Q8_0);
    long numBytes = InterleavedMatrix.numBytes(matrix);
    InterleavedMatrix copy =
        new InterleavedMatrix(matrix, NativeMemory.allocateZeroed(numBytes, arena));
    copy.fill(0, copy.numGroups());
    return copy;
  }

  private Case gemvInterleaved() {
    InterleavedMatrix interleaved = interleaved();
    MemorySegment x = floats(COLUMNS);
    MemorySegment out = floats(ROWS);
    float[] scratch = new float[Kernels.GEMV_SCRATCH];
    return new Call(
        () -> kernels.gemvInterleaved(interleaved, 0, ROWS, x, out, false, scratch),
        () -> out.toArray(FLOAT));
  }

  private Case multiplyInterleaved() {
    InterleavedMatrix interleaved = interleaved();
    int tokens = 16;
    float[] x = array(tokens * Kernels.WIDE_STRIDE);
    float[] c = new float[tokens * ROWS];
    float[] scratch = new float[Kernels.GEMV_SCRATCH];
    return new Call(
        () -> {
          Arrays.fill(c, 0);
          for (int row = 0; row < ROWS; row += InterleavedMatrix.PAIR) {
            kernels.multiplyInterleaved(
                interleaved, row, 0, Kernels.WIDE_COLUMNS, x, 0, tokens, c, row, ROWS, scratch);
          }
        },
        c::clone);
  }

  /// The result is in the order of rows, which panels of different widths do not share.
  private Case widenInterleaved() {
    InterleavedMatrix interleaved = interleaved();
    int count = Kernels.WIDE_COLUMNS;
    int width = kernels.panelVectors() * kernels.lanes();
    MemorySegment panels = floats(InterleavedMatrix.PAIR * count);
    float[] scratch = new float[Kernels.GEMV_SCRATCH];
    return new Call(
        () -> kernels.widenInterleaved(interleaved, 0, 0, count, panels, 0, scratch),
        () -> {
          float[] rows = new float[InterleavedMatrix.PAIR * count];
          for (int i = 0; i < rows.length; i++) {
            int row = i / count;
            long at = (row / width * (long) count + i % count) * width + row % width;
            rows[i] = panels.getAtIndex(FLOAT, at);
          }
          return rows;
        });
  }

  private Case quantize() {
    MemorySegment x = floats(COLUMNS);
    QuantizedActivations out = new QuantizedActivations(COLUMNS);
    return new Call(
        () -> kernels.quantize(x, 0, COLUMNS, out),
        () -> {
          float[] values = new float[COLUMNS];
          for (int c = 0; c < COLUMNS; c++) {
            values[c] = out.scales[c / QuantizedActivations.BLOCK] * out.value(c);
          }
          return values;
        });
  }

  private Case multiplyPanel() {
    float[] w = array(Kernels.TILE_ROWS * Kernels.WIDE_STRIDE);
    float[] x = array(Kernels.WIDE_COLUMNS * TOKENS);
    int width = kernels.panelVectors() * kernels.lanes();
    int panels = TOKENS / width;
    MemorySegment panel = floats(x.length);
    for (int k = 0; k < Kernels.WIDE_COLUMNS; k++) {
      for (int token = 0; token < TOKENS; token++) {
        int at = (token / width * Kernels.WIDE_COLUMNS + k) * width + token % width;
        panel.setAtIndex(FLOAT, at, x[k * TOKENS + token]);
      }
    }
    int tile = Kernels.TILE_ROWS * width;
    float[] c = new float[panels * tile];
    long panelBytes = (long) Kernels.WIDE_COLUMNS * width * Float.BYTES;
    return new Call(
        () -> {
          Arrays.fill(c, 0);
          for (int p = 0; p < panels; p++) {
            kernels.multiplyPanel(
                w,
                0,
                panel,
                p * panelBytes,
                kernels.panelVectors(),
                Kernels.WIDE_COLUMNS,
                c,
                p * tile);
          }
        },
        () -> {
          float[] rows = new float[c.length];
          for (int i = 0; i < rows.length; i++) {
            int token = i % TOKENS;
            rows[i] = c[token / width * tile + i / TOKENS * width + token % width];
          }
          return rows;
        });
  }

  /// Tokens are the same ones at every width: a panel of one vector after the other.
  private Case multiplyPanelAhead() {
    float[] w = array(Kernels.TILE_ROWS * Kernels.WIDE_STRIDE);
    float[] x = array(Kernels.WIDE_COLUMNS * TOKENS);
    int width = kernels.lanes();
    int panels = TOKENS / width;
    MemorySegment panel = floats(x.length);
    for (int i = 0; i < x.length; i++) {
      int token = i % TOKENS;
      int at = (token / width * Kernels.WIDE_COLUMNS + i / TOKENS) * width + token % width;
      panel.setAtIndex(FLOAT, at, x[i]);
    }
    int tile = Kernels.TILE_ROWS * width;
    float[] c = new float[panels * tile];
    long panelBytes = (long) Kernels.WIDE_COLUMNS * width * Float.BYTES;
    int[] touched = new int[1];
    return new Call(
        () -> {
          Arrays.fill(c, 0);
          for (int p = 0; p < panels; p++) {
            touched[0] +=
                kernels.multiplyPanelAhead(
                    w,
                    0,
                    panel,
                    p * panelBytes,
                    Kernels.WIDE_COLUMNS,
                    c,
                    p * tile,
                    panel,
                    (p + 1) % panels * panelBytes,
                    panelBytes);
          }
        },
        () -> {
          float[] rows = new float[c.length];
          for (int i = 0; i < rows.length; i++) {
            int token = i % TOKENS;
            rows[i] = c[token / width * tile + i / TOKENS * width + token % width];
          }
          return rows;
        });
  }

  private Case gather() {
    float[] from = array(ROWS * POSITIONS);
    float[] to = new float[ROWS * POSITIONS];
    int[] multiples = new int[kernels.lanes() + 1];
    Arrays.setAll(multiples, i -> i * POSITIONS);
    return new Call(
        () -> {
          for (int column = 0; column < POSITIONS; column++) {
            kernels.gather(from, column, multiples, ROWS, to, column * ROWS);
          }
        },
        to::clone);
  }

  private Case multiplyTokens() {
    float[] w = array(Kernels.TILE_ROWS * Kernels.WIDE_STRIDE);
    MemorySegment x = floats(2 * Kernels.WIDE_COLUMNS);
    int together = kernels.panelVectors();
    int tile = Kernels.TILE_ROWS * together * kernels.lanes();
    float[] c = new float[2 / together * tile];
    float[] sums = new float[Kernels.TILE_ROWS * 2];
    long stride = (long) Kernels.WIDE_COLUMNS * Float.BYTES;
    return new Call(
        () -> {
          Arrays.fill(c, 0);
          for (int t = 0; t < 2; t += together) {
            int at = t / together * tile;
            kernels.multiplyTokens(
                w, 0, x, t * stride, stride, together, Kernels.WIDE_COLUMNS, c, at);
            for (int i = 0; i < Kernels.TILE_ROWS * together; i++) {
              sums[i / together * 2 + t + i % together] =
                  kernels.sumLanes(c, at + i * kernels.lanes());
            }
          }
        },
        sums::clone);
  }

  private Case rmsNorm() {
    MemorySegment x = floats(COLUMNS);
    MemorySegment weight = floats(COLUMNS);
    MemorySegment out = floats(COLUMNS);
    return new Call(
        () -> kernels.rmsNorm(x, 0, weight, 1e-5f, COLUMNS, out, 0), () -> out.toArray(FLOAT));
  }

  private Case siluMul() {
    MemorySegment input = floats(COLUMNS);
    MemorySegment up = floats(COLUMNS);
    MemorySegment gate = floats(COLUMNS);
    return new Call(
        () -> {
          gate.copyFrom(input);
          kernels.siluMul(gate, 0, up, 0, COLUMNS);
        },
        () -> gate.toArray(FLOAT));
  }

  private Case attendTile(boolean half) {
    // A multiple of every width, so that the layout is the same for all.
    int positions = 16;
    int tiles = POSITIONS / positions;
    KvTile tile =
        new KvTile(
            cache(POSITIONS * HEAD_DIM, half),
            cache(POSITIONS * HEAD_DIM, half),
            half,
            HEAD_DIM,
            positions,
            HEAD_DIM);
    MemorySegment q = floats(GROUP * HEAD_DIM);
    MemorySegment out = floats(GROUP * HEAD_DIM);
    AttentionState state = new AttentionState(GROUP, HEAD_DIM, positions, HEAD_DIM, arena);
    return new Call(
        () -> {
          state.begin(q, 0);
          for (int t = 0; t < tiles; t++) {
            kernels.attendTile(
                tile, t * tile.keyTileBytes(), t * tile.valueTileBytes(), positions, state);
          }
          for (int g = 0; g < GROUP; g++) {
            state.writeOutput(g, out, (long) g * HEAD_DIM * Float.BYTES);
          }
        },
        () -> out.toArray(FLOAT));
  }

  private Case weighRow() {
    float[] scores = array(POSITIONS);
    int width = kernels.panelVectors() * kernels.lanes();
    float[] weights = new float[POSITIONS];
    float[] maximum = new float[1];
    float[] sum = new float[1];
    return new Call(
        () -> {
          maximum[0] = Float.NEGATIVE_INFINITY;
          sum[0] = 0;
          // Panels lie one behind the other, so that scores are in order at every width.
          kernels.weighRow(
              scores,
              0,
              width,
              width,
              0.125f,
              POSITIONS - 3,
              POSITIONS,
              maximum,
              sum,
              0,
              weights,
              0);
        },
        weights::clone);
  }

  private Case widenRows() {
    MemorySegment from = cache(POSITIONS * HEAD_DIM, true);
    MemorySegment out = floats(POSITIONS * HEAD_DIM);
    long row = (long) HEAD_DIM * Short.BYTES;
    return new Call(
        () -> kernels.widenRows(from, true, 0, row, POSITIONS, HEAD_DIM, out, 0, 2 * row),
        () -> out.toArray(FLOAT));
  }

  private Matrix matrix(DType type) {
    byte[] bytes = new byte[Math.toIntExact(type.numBytes((long) ROWS * COLUMNS))];
    RandomBlocks.fill(type, bytes, random);
    MemorySegment segment = NativeMemory.allocateZeroed(bytes.length, arena);
    segment.copyFrom(MemorySegment.ofArray(bytes));
    return new Matrix(type, segment, ROWS, COLUMNS, type.numBytes(COLUMNS));
  }

  private float[] array(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private MemorySegment floats(int count) {
    MemorySegment segment = NativeMemory.allocateZeroed((long) count * Float.BYTES, arena);
    segment.copyFrom(MemorySegment.ofArray(array(count)));
    return segment;
  }

  private MemorySegment cache(int count, boolean half) {
    float[] values = array(count);
    MemorySegment segment =
        NativeMemory.allocateZeroed((long) count * (half ? Short.BYTES : Float.BYTES), arena);
    for (int i = 0; i < count; i++) {
      if (half) {
        segment.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(values[i]));
      } else {
        segment.setAtIndex(FLOAT, i, values[i]);
      }
    }
    return segment;
  }
}
