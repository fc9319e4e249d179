package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

/// The conversions against the nearest of all 256 numbers, found by looking at each.
class E4m3Test {
  private static final long SEED = 20261121;

  /// The obvious twin: the number at the smallest distance, of two the one with an even last bit.
  private static int nearest(float value) {
    if (Float.isNaN(value)) {
      return 0x7f;
    }
    int sign = Float.floatToRawIntBits(value) < 0 ? 0x80 : 0;
    double magnitude = Math.min(Math.abs((double) value), 448);
    int best = 0;
    for (int code = 1; code < 0x7f; code++) {
      double distance = Math.abs(E4m3.toFloat(code) - magnitude);
      double least = Math.abs(E4m3.toFloat(best) - magnitude);
      if (distance < least || (distance == least && (code & 1) == 0)) {
        best = code;
      }
    }
    return sign | best;
  }

  private static int fromF32(float value) {
    // b becomes the lower half.
    long bits = Float.floatToRawIntBits(value) & 0xffff_ffffL;
    return (int) MicroKernel.run89("cvt.rn.satfinite.e4m3x2.f32 %h15, %r1, %r0", bits, 0);
  }

  @Test
  void numbersAreThoseOfThePaper() {
    // arXiv 2209.05433, table 1.
    assertThat(E4m3.toFloat(0x00)).isEqualTo(0f);
    assertThat(E4m3.toFloat(0x01)).isEqualTo(0x1p-9f);
    assertThat(E4m3.toFloat(0x07)).isEqualTo(7 * 0x1p-9f);
    assertThat(E4m3.toFloat(0x08)).isEqualTo(0x1p-6f);
    assertThat(E4m3.toFloat(0x38)).isEqualTo(1f);
    assertThat(E4m3.toFloat(0x7e)).isEqualTo(448f);
    assertThat(E4m3.toFloat(0xfe)).isEqualTo(-448f);
    assertThat(E4m3.toFloat(0x7f)).isNaN();
  }

  @Test
  void everyCodeIsItsOwnNearestNumber() {
    for (int code = 0; code < 256; code++) {
      int expected = (code & 0x7f) == 0x7f ? 0x7f : code;
      assertThat(E4m3.of(E4m3.toFloat(code))).as("code %x", code).isEqualTo(expected);
      assertThat(nearest(E4m3.toFloat(code))).as("code %x", code).isEqualTo(expected);
    }
  }

  @Test
  void roundingIsThatOfTheTwinBetweenAllNeighbours() {
    for (int code = 0; code < 0x7e; code++) {
      float low = E4m3.toFloat(code);
      float high = E4m3.toFloat(code + 1);
      float middle = (low + high) / 2;
      for (float value :
          new float[] {Math.nextUp(low), Math.nextDown(middle), middle, Math.nextUp(middle)}) {
        assertThat(E4m3.of(value)).as("%s", value).isEqualTo(nearest(value));
        assertThat(E4m3.of(-value)).as("%s", -value).isEqualTo(nearest(-value));
      }
    }
    System.out.println("E4m3Test: seed " + SEED);
    Random random = new Random(SEED);
    for (int i = 0; i < 20_000; i++) {
      float value = Float.intBitsToFloat(random.nextInt());
      assertThat(E4m3.of(value)).as("%s", value).isEqualTo(nearest(value));
      float usual = (float) (random.nextGaussian() * Math.scalb(1.0, random.nextInt(-12, 10)));
      assertThat(E4m3.of(usual)).as("%s", usual).isEqualTo(nearest(usual));
    }
  }

  @Test
  void theInstructionTakesTheCornersOfTheFormat() {
    assertThat(fromF32(0f)).isZero();
    assertThat(fromF32(-0f)).isEqualTo(0x80);
    assertThat(fromF32(448f)).isEqualTo(0x7e);
    assertThat(fromF32(464f)).as("half way to what would be 480").isEqualTo(0x7e);
    assertThat(fromF32(Float.MAX_VALUE)).isEqualTo(0x7e);
    assertThat(fromF32(Float.NEGATIVE_INFINITY)).isEqualTo(0xfe);
    assertThat(fromF32(Float.NaN)).isEqualTo(0x7f);
    assertThat(fromF32(-Float.NaN)).isEqualTo(0x7f);
    assertThat(fromF32(0x1p-9f)).isEqualTo(1);
    assertThat(fromF32(0x1p-10f)).as("a tie to even").isZero();
    assertThat(fromF32(Math.nextUp(0x1p-10f))).isEqualTo(1);
    assertThat(fromF32(-0x1.8p-9f)).as("a tie to even").isEqualTo(0x82);
    assertThat(fromF32(7.5f * 0x1p-9f)).as("into the normal numbers").isEqualTo(8);
  }

  @Test
  void theFirstSourceBecomesTheUpperHalf() {
    long one = Float.floatToRawIntBits(1f);
    long two = Float.floatToRawIntBits(2f);
    assertThat(MicroKernel.run89("cvt.rn.satfinite.e4m3x2.f32 %h15, %r0, %r1", one, two))
        .isEqualTo(0x3840);
    long halves = 0x3c00_4000L; // 1 and 2
    assertThat(MicroKernel.run89("cvt.rn.satfinite.e4m3x2.f16x2 %h15, %r0", halves))
        .isEqualTo(0x3840);
    assertThat(
            MicroKernel.run89("cvt.rn.satfinite.relu.e4m3x2.f32 %h15, %r0, %r1", one, 0xbf80_0000L))
        .isEqualTo(0x3800);
  }

  @Test
  void everyCodeBecomesItsValueInBothHalves() {
    for (int code = 0; code < 256; code++) {
      float value = E4m3.toFloat(code);
      long half = Float.isNaN(value) ? 0x7fff : Float.floatToFloat16(value) & 0xffff;
      assertThat(Float.isNaN(value) || Float.float16ToFloat((short) half) == value).isTrue();
      assertThat(MicroKernel.run89("cvt.rn.f16x2.e4m3x2 %r30, %h0", 256L * code + 0x38))
          .as("code %x", code)
          .isEqualTo(half << 16 | 0x3c00);
    }
  }
}
