package io.cusco.llama.cuda.emulator;

/// The instructions that kernels execute most, with a loop for a full warp that the compiler can
/// vectorise. The same results as through [Lanes], which partial warps take.
final class FullWarp {
  private FullWarp() {}

  static Operation addInt(int d, int a, int b) {
    Operation some = Lanes.binary(d, a, b, (x, y) -> x + y);
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      int[] r = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        int x = r[a + lane];
        int y = r[b + lane];
        r[d + lane] = x + y;
      }
    };
  }

  static Operation subInt(int d, int a, int b) {
    Operation some = Lanes.binary(d, a, b, (x, y) -> x - y);
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      int[] r = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        int x = r[a + lane];
        int y = r[b + lane];
        r[d + lane] = x - y;
      }
    };
  }

  static Operation mulInt(int d, int a, int b) {
    Operation some = Lanes.binary(d, a, b, (x, y) -> x * y);
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      int[] r = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        int x = r[a + lane];
        int y = r[b + lane];
        r[d + lane] = x * y;
      }
    };
  }

  static Operation andInt(int d, int a, int b) {
    Operation some = Lanes.binary(d, a, b, (x, y) -> x & y);
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      int[] r = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        int x = r[a + lane];
        int y = r[b + lane];
        r[d + lane] = x & y;
      }
    };
  }

  static Operation orInt(int d, int a, int b) {
    Operation some = Lanes.binary(d, a, b, (x, y) -> x | y);
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      int[] r = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        int x = r[a + lane];
        int y = r[b + lane];
        r[d + lane] = x | y;
      }
    };
  }

  static Operation xorInt(int d, int a, int b) {
    Operation some = Lanes.binary(d, a, b, (x, y) -> x ^ y);
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      int[] r = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        int x = r[a + lane];
        int y = r[b + lane];
        r[d + lane] = x ^ y;
      }
    };
  }

  static Operation addLong(int d, int a, int b) {
    Operation some = Lanes.wideBinary(d, a, b, (x, y) -> x + y);
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      long[] r = warp.longs;
      for (int lane = 0; lane < 32; lane++) {
        long x = r[a + lane];
        long y = r[b + lane];
        r[d + lane] = x + y;
      }
    };
  }

  static Operation addFloat(int d, int a, int b) {
    Operation some =
        Lanes.binary(
            d, a, b, (x, y) -> FloatBits.of(Float.intBitsToFloat(x) + Float.intBitsToFloat(y)));
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      int[] r = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        int x = r[a + lane];
        int y = r[b + lane];
        r[d + lane] = FloatBits.of(Float.intBitsToFloat(x) + Float.intBitsToFloat(y));
      }
    };
  }

  static Operation subFloat(int d, int a, int b) {
    Operation some =
        Lanes.binary(
            d, a, b, (x, y) -> FloatBits.of(Float.intBitsToFloat(x) - Float.intBitsToFloat(y)));
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      int[] r = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        int x = r[a + lane];
        int y = r[b + lane];
        r[d + lane] = FloatBits.of(Float.intBitsToFloat(x) - Float.intBitsToFloat(y));
      }
    };
  }

  static Operation mulFloat(int d, int a, int b) {
    Operation some =
        Lanes.binary(
            d, a, b, (x, y) -> FloatBits.of(Float.intBitsToFloat(x) * Float.intBitsToFloat(y)));
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      int[] r = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        int x = r[a + lane];
        int y = r[b + lane];
        r[d + lane] = FloatBits.of(Float.intBitsToFloat(x) * Float.intBitsToFloat(y));
      }
    };
  }

  static Operation fma(int d, int a, int b, int c) {
    Operation some = Lanes.ternary(d, a, b, c, FloatBits::fma);
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      int[] r = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        r[d + lane] = FloatBits.fma(r[a + lane], r[b + lane], r[c + lane]);
      }
    };
  }

  static Operation mulAddInt(int d, int a, int b, int c) {
    Operation some = Lanes.ternary(d, a, b, c, (x, y, z) -> x * y + z);
    return (warp, mask) -> {
      if (mask != Lanes.FULL) {
        some.run(warp, mask);
        return;
      }
      int[] r = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        r[d + lane] = r[a + lane] * r[b + lane] + r[c + lane];
      }
    };
  }

  static Operation moveInt(int d, int a) {
    Operation some = Lanes.unary(d, a, x -> x);
    return (warp, mask) -> {
      if (mask == Lanes.FULL) {
        System.arraycopy(warp.ints, a, warp.ints, d, 32);
      } else {
        some.run(warp, mask);
      }
    };
  }

  static Operation moveLong(int d, int a) {
    Operation some = Lanes.wideUnary(d, a, x -> x);
    return (warp, mask) -> {
      if (mask == Lanes.FULL) {
        System.arraycopy(warp.longs, a, warp.longs, d, 32);
      } else {
        some.run(warp, mask);
      }
    };
  }

  /// `mul.wide.s32`.
  static Operation mulWide(int d, int a, int b) {
    return (warp, mask) -> {
      int[] r = warp.ints;
      long[] w = warp.longs;
      if (mask == Lanes.FULL) {
        for (int lane = 0; lane < 32; lane++) {
          w[d + lane] = (long) r[a + lane] * r[b + lane];
        }
        return;
      }
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        w[d + lane] = (long) r[a + lane] * r[b + lane];
      }
    };
  }
}
