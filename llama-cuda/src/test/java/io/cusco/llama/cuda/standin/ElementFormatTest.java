package io.cusco.llama.cuda.standin;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ElementFormatTest {
  private static float bfloat16(float value) {
    return Float.intBitsToFloat(ElementFormat.toBfloat16(value) << 16);
  }

  @Test
  void bfloat16IsRoundedToNearestWithTiesToEven() {
    assertThat(bfloat16(1 + 0x1p-8f)).isEqualTo(1f);
    assertThat(bfloat16(1 + 0x1p-8f + 0x1p-20f)).isEqualTo(1 + 0x1p-7f);
    assertThat(bfloat16(1 + 3 * 0x1p-8f)).isEqualTo(1 + 0x1p-6f);
    assertThat(bfloat16(-0f)).isEqualTo(-0f);
    assertThat(bfloat16(Float.MAX_VALUE)).isInfinite();
    assertThat(bfloat16(Float.NEGATIVE_INFINITY)).isEqualTo(Float.NEGATIVE_INFINITY);
    assertThat(bfloat16(Float.NaN)).isNaN();
  }

  @Test
  void tensorFloat32KeepsTenBitsOfMantissa() {
    assertThat(ElementFormat.toTensorFloat32(1 + 0x1p-10f)).isEqualTo(1 + 0x1p-10f);
    assertThat(ElementFormat.toTensorFloat32(1 + 0x1p-11f)).isEqualTo(1f);
    assertThat(ElementFormat.toTensorFloat32(1 + 3 * 0x1p-11f)).isEqualTo(1 + 0x1p-9f);
    assertThat(ElementFormat.toTensorFloat32(Float.NaN)).isNaN();
  }
}
