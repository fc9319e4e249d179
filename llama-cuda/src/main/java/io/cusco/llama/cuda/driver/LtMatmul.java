package io.cusco.llama.cuda.driver;

/// A product for [CublasLt].
///
/// @param gemm shape and types; FP8 inputs need `transposeB` and no `transposeA`
/// @param bias whether a vector of n elements of the output's type is added to every row of C
/// @param scaling how FP8 inputs are scaled back
/// @param rows which numbers of rows of A and C the algorithm serves
/// @param alignment of C's address in bytes
public record LtMatmul(Gemm gemm, boolean bias, Scaling scaling, Rows rows, int alignment) {
  /// How many rows A and C may have, and what their number may change.
  public enum Rows {
    /// m.
    EXACT,
    /// Any number up to m; the algorithm is chosen for m.
    ANY,
    /// Any number, by an algorithm that adds up an element in one piece: the rows' number changes
    /// no result.
    ANY_WITH_SAME_RESULTS
  }

  /// How scale factors, float32 on the device, belong to the inputs.
  public enum Scaling {
    /// There are none.
    NONE,
    /// One for A and one for B.
    PER_TENSOR,
    /// One for every row of op(A), m in all, and one for every column of op(B), n in all.
    PER_ROW
  }

  /// @param a,b,c device addresses of the matrices, multiples of 16
  /// @param bias device address of the bias, or 0
  /// @param scaleA,scaleB device addresses of the scale factors, or 0
  public record Operands(long a, long b, long c, long bias, long scaleA, long scaleB) {
    public static Operands of(long a, long b, long c) {
      return new Operands(a, b, c, 0, 0, 0);
    }
  }

  /// What vector loads and the copy engines of Hopper ask of an address.
  public static final int ALIGNMENT = 16;

  /// Times m is many: a step's whole budget of tokens.
  private static final int MANY_TIMES = 64;

  /// The fastest way for the shape of `gemm`.
  public LtMatmul(Gemm gemm, boolean bias, Scaling scaling) {
    this(gemm, bias, scaling, Rows.EXACT, ALIGNMENT);
  }

  /// One way for any number of rows.
  ///
  /// @param gemm its m is the number of rows to choose for
  /// @param alignment of C's address, a power of two up to [#ALIGNMENT]
  public static LtMatmul ofAnyRows(Gemm gemm, Scaling scaling, Rows rows, int alignment) {
    if (gemm.transposeA() || rows == Rows.EXACT) {
      throw new IllegalArgumentException(
          "%s, %s: the rows of A are its columns, or m of them".formatted(gemm, rows));
    }
    return new LtMatmul(gemm, false, scaling, rows, alignment);
  }

  /// Numbers of rows with which an algorithm has to run: the ends of the range, or what stands for
  /// its upper end where there is none.
  int[] rowsToAskFor() {
    int m = gemm.m();
    return switch (rows) {
      case EXACT -> new int[0];
      case ANY -> new int[] {1, m};
      case ANY_WITH_SAME_RESULTS -> new int[] {1, m, Math.multiplyExact(m, MANY_TIMES)};
    };
  }

  /// Refuses numbers of rows that no algorithm was asked for.
  void requireRows(int number) {
    if (number <= 0 || (rows == Rows.ANY && number > gemm.m())) {
      throw new IllegalArgumentException(
          "%s: from 1 to %d rows, got %d; a larger m serves more"
              .formatted(this, rows == Rows.ANY ? gemm.m() : Integer.MAX_VALUE, number));
    }
  }

  void requireAnyRows(long a, long b, long c, long scaleA, long scaleB) {
    if (rows == Rows.EXACT) {
      throw new IllegalArgumentException(this + " is for " + gemm.m() + " rows");
    }
    if ((a | b) % ALIGNMENT != 0 || c % alignment != 0) {
      throw new IllegalArgumentException(
          "A at 0x%x and B at 0x%x must start at multiples of %d bytes, C at 0x%x of %d"
              .formatted(a, b, ALIGNMENT, c, alignment));
    }
    requireScales(scaleA, scaleB);
  }

  void require(Operands operands) {
    if (rows != Rows.EXACT) {
      throw new IllegalArgumentException(this + " wants to be told the number of rows");
    }
    if ((operands.a | operands.b | operands.c) % ALIGNMENT != 0) {
      throw new IllegalArgumentException(
          "%s: matrices must start at multiples of %d bytes".formatted(operands, ALIGNMENT));
    }
    if (bias != (operands.bias != 0)) {
      throw new IllegalArgumentException(
          "%s does not fit %s: exactly the declared bias must be given".formatted(operands, this));
    }
    requireScales(operands.scaleA, operands.scaleB);
  }

  private void requireScales(long scaleA, long scaleB) {
    boolean scaled = scaling != Scaling.NONE;
    if (scaled != (scaleA != 0) || scaled != (scaleB != 0)) {
      throw new IllegalArgumentException(
          "scales at 0x%x and 0x%x do not fit %s: exactly the declared ones must be given"
              .formatted(scaleA, scaleB, this));
    }
  }
}
