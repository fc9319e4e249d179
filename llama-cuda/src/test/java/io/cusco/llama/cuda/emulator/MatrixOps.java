package io.cusco.llama.cuda.emulator;

/// `mma.sync` and `ldmatrix` (PTX ISA, "Warp Level Matrix Instructions").
///
/// With g = lane / 4 and t = lane % 4, and n values per 32-bit register (2 of 16 bits, 4 of 8):
///
/// ```
/// A (16 x K, row)   register i: row g + 8 (i % 2), columns n t + 4 n (i / 2) ...
/// B (K x 8, col)    register i: column g, rows n t + 4 n i ...
/// C, D (16 x 8)     register i: row g + 8 (i / 2), column 2 t + i % 2
/// ```
///
/// Sums are exact in double, with one rounding to f32 at the end; tensor cores truncate inside.
final class MatrixOps {
  private static final int ROWS = 16;
  private static final int COLUMNS = 8;

  private MatrixOps() {}

  static Operation mma(Form form) {
    boolean shape16 = form.take("m16n8k16");
    boolean shape8 = form.take("m16n8k8");
    boolean shape32 = form.take("m16n8k32");
    boolean layout = form.takeAll("sync", "aligned", "row", "col");
    PtxType d = form.takeType();
    PtxType a = form.takeType();
    PtxType b = form.takeType();
    PtxType c = form.takeType();
    form.finish(4);
    int depth = shape16 ? 16 : shape8 ? 8 : shape32 ? 32 : 0;
    boolean bytes = (a == PtxType.S8 || a == PtxType.U8) && (b == PtxType.S8 || b == PtxType.U8);
    boolean halves = a == b && (a == PtxType.F16 || a == PtxType.BF16);
    boolean floats = halves && d == PtxType.F32 && c == d && (depth == 16 || depth == 8);
    boolean integers = bytes && d == PtxType.S32 && c == d && (depth == 16 || depth == 32);
    if (!layout || !(floats || integers)) {
      throw new IllegalArgumentException("this shape or type of mma is not emulated");
    }
    int perRegister = 32 / a.bits();
    int[] slotsA = form.slots(1, PtxType.B32, false);
    int[] slotsB = form.slots(2, PtxType.B32, false);
    int[] slotsC = form.slots(3, PtxType.B32, false);
    int[] slotsD = form.slots(0, PtxType.B32, true);
    require(slotsA.length, ROWS * depth / 32 / perRegister);
    require(slotsB.length, COLUMNS * depth / 32 / perRegister);
    require(slotsC.length, 4);
    require(slotsD.length, 4);
    double[] left = new double[ROWS * depth];
    double[] right = new double[COLUMNS * depth];
    double[] products = new double[ROWS * COLUMNS];
    return (warp, _) -> {
      gatherA(warp, slotsA, a, depth, left);
      gatherB(warp, slotsB, b, right);
      multiply(depth, left, right, products);
      accumulate(warp, slotsC, slotsD, products, floats);
    };
  }

  private static void require(int actual, int expected) {
    if (actual != expected) {
      throw new IllegalArgumentException(
          "a fragment of %d registers instead of %d".formatted(actual, expected));
    }
  }

  private static void gatherA(Warp warp, int[] slots, PtxType type, int depth, double[] into) {
    int perRegister = 32 / type.bits();
    for (int i = 0; i < slots.length; i++) {
      for (int lane = 0; lane < 32; lane++) {
        int row = lane / 4 + 8 * (i % 2);
        int column = perRegister * (lane % 4) + 4 * perRegister * (i / 2);
        int packed = warp.ints[slots[i] + lane];
        for (int part = 0; part < perRegister; part++) {
          into[row * depth + column + part] = value(type, packed >>> (part * type.bits()));
        }
      }
    }
  }

  private static void gatherB(Warp warp, int[] slots, PtxType type, double[] into) {
    int perRegister = 32 / type.bits();
    for (int i = 0; i < slots.length; i++) {
      for (int lane = 0; lane < 32; lane++) {
        int row = perRegister * (lane % 4) + 4 * perRegister * i;
        int packed = warp.ints[slots[i] + lane];
        for (int part = 0; part < perRegister; part++) {
          into[(row + part) * COLUMNS + lane / 4] = value(type, packed >>> (part * type.bits()));
        }
      }
    }
  }

  private static double value(PtxType type, int bits) {
    return switch (type) {
      case BF16 -> FloatBits.fromBf16(bits);
      case F16 -> FloatBits.fromF16(bits);
      case S8 -> (byte) bits;
      default -> bits & 0xFF;
    };
  }

  private static void accumulate(Warp warp, int[] c, int[] d, double[] products, boolean floats) {
    int[] sums = new int[4];
    for (int lane = 0; lane < 32; lane++) {
      for (int i = 0; i < 4; i++) {
        double sum = products[(lane / 4 + 8 * (i / 2)) * COLUMNS + 2 * (lane % 4) + i % 2];
        int bits = warp.ints[c[i] + lane];
        sums[i] =
            floats
                ? FloatBits.of((float) (sum + Float.intBitsToFloat(bits)))
                : bits + (int) (long) sum;
      }
      // The destination may be the source in another order.
      for (int i = 0; i < 4; i++) {
        warp.ints[d[i] + lane] = sums[i];
      }
    }
  }

  /// One row of eight sums at a time: they do not wait for each other.
  private static void multiply(int depth, double[] left, double[] right, double[] products) {
    for (int row = 0; row < ROWS; row++) {
      double s0 = 0;
      double s1 = 0;
      double s2 = 0;
      double s3 = 0;
      double s4 = 0;
      double s5 = 0;
      double s6 = 0;
      double s7 = 0;
      for (int k = 0; k < depth; k++) {
        double x = left[row * depth + k];
        int at = k * COLUMNS;
        s0 += x * right[at];
        s1 += x * right[at + 1];
        s2 += x * right[at + 2];
        s3 += x * right[at + 3];
        s4 += x * right[at + 4];
        s5 += x * right[at + 5];
        s6 += x * right[at + 6];
        s7 += x * right[at + 7];
      }
      int at = row * COLUMNS;
      products[at] = s0;
      products[at + 1] = s1;
      products[at + 2] = s2;
      products[at + 3] = s3;
      products[at + 4] = s4;
      products[at + 5] = s5;
      products[at + 6] = s6;
      products[at + 7] = s7;
    }
  }

  /// Lanes 8 i to 8 i + 7 give the addresses of the eight 16-byte rows of matrix i. Lane l receives
  /// in register i the elements (row l / 4, columns 2 (l % 4) and + 1), or transposed.
  static Operation ldmatrix(Form form) {
    String count = form.takeOneOf("x1", "x2", "x4");
    boolean transposed = form.take("trans");
    boolean known = form.takeAll("sync", "aligned", "m8n8", "b16");
    MemoryAccess.Space space = MemoryAccess.takeSpace(form);
    form.finish(2);
    int[] destinations = form.slots(0, PtxType.B32, true);
    if (!known || count == null || destinations.length != count.charAt(1) - '0') {
      throw new IllegalArgumentException("this shape of ldmatrix is not emulated");
    }
    AddressSource address = form.address(1);
    MemoryAccess access = new MemoryAccess(space, 16, false);
    int[] elements = new int[64];
    return (warp, _) -> {
      address.fill(warp);
      for (int matrix = 0; matrix < destinations.length; matrix++) {
        for (int row = 0; row < 8; row++) {
          int lane = 8 * matrix + row;
          access.read(warp, lane, warp.addresses[lane]);
          for (int column = 0; column < 8; column++) {
            elements[8 * row + column] =
                access.region.getShort(access.offset + 2 * column) & 0xFFFF;
          }
        }
        for (int lane = 0; lane < 32; lane++) {
          int first = transposed ? 16 * (lane % 4) + lane / 4 : 8 * (lane / 4) + 2 * (lane % 4);
          int second = first + (transposed ? 8 : 1);
          warp.ints[destinations[matrix] + lane] = elements[first] | elements[second] << 16;
        }
      }
    };
  }
}
