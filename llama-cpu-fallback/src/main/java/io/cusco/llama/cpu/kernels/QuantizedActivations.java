package io.cusco.llama.cpu.kernels;

/// One vector of activations as integers -127 .. 127, one scale per [#BLOCK] columns: what
/// [PackedMatrix] is multiplied with. `x[c]` is about `scales[c / 32]` times the integer.
///
/// Beside the integers lie the sums that take a weight's offset out of a product: `sum (q - o) x =
/// sum q x - o sum x`. Made once per matrix product, read by all workers.
///
/// Arrays, not segments: of a segment the compiler guesses the class from what it has seen
/// elsewhere, and a wrong guess costs a loop its unrolling and leaves the bounds checks in it.
/// Source of the idea: llama.cpp's `block_q8_1`.
public final class QuantizedActivations {
  /// Columns that share a scale.
  static final int BLOCK = 32;

  /// The largest magnitude of an integer.
  static final int LARGEST = 127;

  /// `[columns / 2]`: two neighbouring columns, the even one in the low half.
  final int[] pairs;

  /// `[columns / 32]`.
  final float[] scales;

  /// `[columns / 32]`: minus scale times the sum of a block's integers.
  final float[] negativeSums;

  /// `[columns / 32]`: the sum of a block's integers.
  final int[] sums;

  /// `[columns / 32]`: minus 16 times the sums of the even and of the odd columns, as a pair.
  final int[] minus16;

  /// `[columns / 16]`: minus 32 times the sums of the even and of the odd columns, as a pair.
  final int[] minus32;

  /// The integers of the block in work.
  final short[] block = new short[BLOCK];

  /// @param maxColumns the widest vector
  public QuantizedActivations(int maxColumns) {
    int blocks = Math.ceilDiv(maxColumns, BLOCK);
    pairs = new int[blocks * BLOCK / 2];
    scales = new float[blocks];
    negativeSums = new float[blocks];
    sums = new int[blocks];
    minus16 = new int[blocks];
    minus32 = new int[2 * blocks];
  }

  /// Takes over [#block] as block `index`.
  void store(int index, float scale) {
    int evens = 0;
    int odds = 0;
    for (int half = 0; half < 2; half++) {
      int even = 0;
      int odd = 0;
      for (int i = 0; i < 8; i++) {
        short low = block[half * 16 + 2 * i];
        short high = block[half * 16 + 2 * i + 1];
        pairs[index * 16 + half * 8 + i] = pair(low, high);
        even += low;
        odd += high;
      }
      evens += even;
      odds += odd;
      minus32[2 * index + half] = pair(-32 * even, -32 * odd);
    }
    scales[index] = scale;
    sums[index] = evens + odds;
    negativeSums[index] = -scale * sums[index];
    minus16[index] = pair(-16 * evens, -16 * odds);
  }

  private static int pair(int low, int high) {
    return (low & 0xffff) | (high << 16);
  }

  /// The integer of one column.
  int value(int column) {
    int pair = pairs[column / 2];
    return column % 2 == 0 ? (short) pair : pair >> 16;
  }
}
