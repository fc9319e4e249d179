package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Widens stored values of every [DType] to float32, one block after the other: the slow, obvious
/// twin of every fast kernel, exact to the last bit of float32 arithmetic without fused
/// multiply-add.
///
/// A block stores `q` (small integers) and `d` (a float16 scale); formats ending in `_1` and the
/// K-quants of odd generation also store a minimum `m`: `x = d * q`, or `x = d * q - m`. K-quants
/// nest two levels: a super-block of 256 has one `d`, its sub-blocks of 16 or 32 have small integer
/// scales. Nibbles of one byte are 16 or 32 values apart, so that a vector load of bytes gives two
/// runs of neighbours:
///
/// ```
/// Q4_0  | d f16 | qs[16] |             x[j] = low nibble of qs[j], x[j + 16] = high nibble
/// Q4_K  | d f16 | dmin f16 | scales[12] | qs[128] |
/// Q6_K  | ql[128] | qh[64] | scales[16] | d f16 |
/// ```
///
/// Source of all layouts: ggml's `ggml-common.h` (structures) and `ggml-quants.c`
/// (`dequantize_row_*`). Safe for use by several threads.
public final class BlockFormats {
  static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

  /// ggml's `kvalues_iq4nl`: 16 levels spaced for a bell curve.
  private static final byte[] IQ4_LEVELS = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
  };

  private BlockFormats() {}

  /// Widens `count` values that start at `byteOffset` of `source` into `out[outOffset ..]`.
  ///
  /// @param byteOffset start of a block
  /// @param count a multiple of `dtype.blockSize()`
  /// @throws IllegalArgumentException if `count` is negative or no whole number of blocks
  /// @throws IndexOutOfBoundsException if either side is too short
  public static void dequantize(
      DType dtype, MemorySegment source, long byteOffset, float[] out, int outOffset, int count) {
    dtype.numBytes(count); // refuses counts that are no whole number of blocks
    int blockSize = dtype.blockSize();
    int blockBytes = dtype.blockBytes();
    long at = byteOffset;
    for (int to = outOffset; to < outOffset + count; to += blockSize) {
      switch (dtype) {
        case F32 -> out[to] = source.get(FLOAT, at);
        case F16 -> out[to] = half(source, at);
        case BF16 -> out[to] = Float.intBitsToFloat(source.get(SHORT, at) << 16);
        case Q4_0 -> q4(source, at + 2, half(source, at), 8, 0f, out, to);
        case Q4_1 -> q4(source, at + 4, half(source, at), 0, half(source, at + 2), out, to);
        case Q5_0 -> q5(source, at + 2, half(source, at), 16, 0f, out, to);
        case Q5_1 -> q5(source, at + 4, half(source, at), 0, half(source, at + 2), out, to);
        case Q8_0 -> q8(source, at, out, to);
        case Q2_K -> q2K(source, at, out, to);
        case Q3_K -> q3K(source, at, out, to);
        case Q4_K -> q4K(source, at, out, to);
        case Q5_K -> q5K(source, at, out, to);
        case Q6_K -> q6K(source, at, out, to);
        case IQ4_NL -> iq4(source, at + 2, half(source, at), out, to);
        case IQ4_XS -> iq4Xs(source, at, out, to);
      }
      at += blockBytes;
    }
  }

  /// Widens one row of `tensor` into `out[0 .. columns)`.
  public static void dequantizeRow(TensorView tensor, int row, float[] out) {
    dequantize(tensor.dtype(), tensor.segment(), row * tensor.rowBytes(), out, 0, tensor.columns());
  }

  private static float half(MemorySegment source, long at) {
    return Float.float16ToFloat(source.get(SHORT, at));
  }

  private static int unsigned(MemorySegment source, long at) {
    return source.get(BYTE, at) & 0xFF;
  }

  private static void q4(
      MemorySegment source, long qs, float d, int bias, float m, float[] out, int to) {
    for (int j = 0; j < 16; j++) {
      int pair = unsigned(source, qs + j);
      out[to + j] = ((pair & 0xF) - bias) * d + m;
      out[to + j + 16] = ((pair >>> 4) - bias) * d + m;
    }
  }

  /// Like [#q4] with a fifth bit per value in a 32-bit word before the nibbles.
  private static void q5(
      MemorySegment source, long at, float d, int bias, float m, float[] out, int to) {
    int high = source.get(INT, at);
    for (int j = 0; j < 16; j++) {
      int pair = unsigned(source, at + 4 + j);
      int first = (pair & 0xF) | ((high >>> j) & 1) << 4;
      int second = (pair >>> 4) | ((high >>> (j + 16)) & 1) << 4;
      out[to + j] = (first - bias) * d + m;
      out[to + j + 16] = (second - bias) * d + m;
    }
  }

  private static void q8(MemorySegment source, long at, float[] out, int to) {
    float d = half(source, at);
    for (int j = 0; j < 32; j++) {
      out[to + j] = source.get(BYTE, at + 2 + j) * d;
    }
  }

  /// `scales[16] (4-bit scale, 4-bit min) | qs[64] | d | dmin`: sub-blocks of 16; the two bits of
  /// value `32 * plane + l` of each half are in byte `l` at shift `2 * plane`.
  private static void q2K(MemorySegment source, long at, float[] out, int to) {
    float d = half(source, at + 80);
    float dMin = half(source, at + 82);
    for (int i = 0; i < 256; i++) {
      int scale = unsigned(source, at + i / 16);
      int q = (unsigned(source, at + 16 + twoBitByte(i)) >>> twoBitShift(i)) & 3;
      out[to + i] = d * (scale & 0xF) * q - dMin * (scale >>> 4);
    }
  }

  /// `hmask[32] | qs[64] | scales[12] | d`: two low bits as in Q2_K, the third bit of value `32 *
  /// plane + l` is bit `plane` (0..7) of `hmask[l]`, and its absence subtracts 4.
  private static void q3K(MemorySegment source, long at, float[] out, int to) {
    float d = half(source, at + 108);
    for (int i = 0; i < 256; i++) {
      int q = (unsigned(source, at + 32 + twoBitByte(i)) >>> twoBitShift(i)) & 3;
      int high = (unsigned(source, at + i % 32) >>> (i / 32)) & 1;
      out[to + i] = d * q3Scale(source, at + 96, i / 16) * (q - (high == 1 ? 0 : 4));
    }
  }

  private static int twoBitByte(int i) {
    return i / 128 * 32 + i % 32;
  }

  private static int twoBitShift(int i) {
    return i % 128 / 32 * 2;
  }

  /// Sixteen 6-bit scales in 12 bytes: low nibbles of scales 0..7 and 8..15 share bytes 0..7; the
  /// high bits of scales `k`, `k + 4`, `k + 8`, `k + 12` share byte `8 + k`.
  private static int q3Scale(MemorySegment source, long scales, int k) {
    int low = unsigned(source, scales + k % 8) >>> (k < 8 ? 0 : 4) & 0xF;
    int high = unsigned(source, scales + 8 + k % 4) >>> (k / 4 * 2) & 3;
    return (low | high << 4) - 32;
  }

  /// `d | dmin | scales[12] | qs[128]`: sub-blocks of 32; each run of 32 bytes holds two of them.
  private static void q4K(MemorySegment source, long at, float[] out, int to) {
    float d = half(source, at);
    float dMin = half(source, at + 2);
    for (int sub = 0; sub < 8; sub++) {
      float scale = d * q4KScale(source, at + 4, sub);
      float min = dMin * q4KMin(source, at + 4, sub);
      long qs = at + 16 + sub / 2 * 32L;
      for (int l = 0; l < 32; l++) {
        int q = unsigned(source, qs + l) >>> (sub % 2 * 4) & 0xF;
        out[to + sub * 32 + l] = scale * q - min;
      }
    }
  }

  /// `d | dmin | scales[12] | qh[32] | qs[128]`: Q4_K with a fifth bit, bit `sub` of `qh[l]`.
  private static void q5K(MemorySegment source, long at, float[] out, int to) {
    float d = half(source, at);
    float dMin = half(source, at + 2);
    for (int sub = 0; sub < 8; sub++) {
      float scale = d * q4KScale(source, at + 4, sub);
      float min = dMin * q4KMin(source, at + 4, sub);
      long qs = at + 48 + sub / 2 * 32L;
      for (int l = 0; l < 32; l++) {
        int q = unsigned(source, qs + l) >>> (sub % 2 * 4) & 0xF;
        int high = unsigned(source, at + 16 + l) >>> sub & 1;
        out[to + sub * 32 + l] = scale * (q | high << 4) - min;
      }
    }
  }

  /// Eight 6-bit scales and eight 6-bit mins in 12 bytes: bytes 0..3 and 4..7 hold the first four
  /// of each, their top bits the high bits of the last four, whose low nibbles are in bytes 8..11.
  private static int q4KScale(MemorySegment source, long scales, int k) {
    return k < 4
        ? unsigned(source, scales + k) & 63
        : (unsigned(source, scales + k + 4) & 0xF) | (unsigned(source, scales + k - 4) >>> 6 << 4);
  }

  private static int q4KMin(MemorySegment source, long scales, int k) {
    return k < 4
        ? unsigned(source, scales + k + 4) & 63
        : (unsigned(source, scales + k + 4) >>> 4) | (unsigned(source, scales + k) >>> 6 << 4);
  }

  /// `ql[128] | qh[64] | scales[16] | d`: each half of 128 values has 64 bytes of low nibbles and
  /// 32 bytes of high bit pairs; value `32 * plane + l` of a half takes pair `plane` of `qh[l]`.
  private static void q6K(MemorySegment source, long at, float[] out, int to) {
    float d = half(source, at + 208);
    for (int i = 0; i < 256; i++) {
      int half = i / 128;
      int plane = i % 128 / 32;
      int l = i % 32;
      int low = unsigned(source, at + half * 64L + plane % 2 * 32L + l) >>> (plane / 2 * 4) & 0xF;
      int high = unsigned(source, at + 128 + half * 32L + l) >>> (plane * 2) & 3;
      int scale = source.get(BYTE, at + 192 + i / 16);
      out[to + i] = d * scale * ((low | high << 4) - 32);
    }
  }

  private static void iq4(MemorySegment source, long qs, float d, float[] out, int to) {
    for (int j = 0; j < 16; j++) {
      int pair = unsigned(source, qs + j);
      out[to + j] = d * IQ4_LEVELS[pair & 0xF];
      out[to + j + 16] = d * IQ4_LEVELS[pair >>> 4];
    }
  }

  /// `d | scales_h u16 | scales_l[4] | qs[128]`: eight IQ4_NL sub-blocks with 6-bit scales.
  private static void iq4Xs(MemorySegment source, long at, float[] out, int to) {
    float d = half(source, at);
    int scalesHigh = source.get(SHORT, at + 2);
    for (int sub = 0; sub < 8; sub++) {
      int low = unsigned(source, at + 4 + sub / 2) >>> (sub % 2 * 4) & 0xF;
      int high = scalesHigh >>> (sub * 2) & 3;
      iq4(source, at + 8 + sub * 16L, d * ((low | high << 4) - 32), out, to + sub * 32);
    }
  }
}
