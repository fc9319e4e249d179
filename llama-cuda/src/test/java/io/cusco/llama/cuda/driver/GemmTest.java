package io.cusco.llama.cuda.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class GemmTest {
  @Test
  void aLinearLayerHasPackedRowsAndTransposedWeights() {
    Gemm gemm = Gemm.linear(3, 5, 7, ElementType.BF16, ElementType.F32);
    assertThat(gemm.transposeA()).isFalse();
    assertThat(gemm.transposeB()).isTrue();
    assertThat(new int[] {gemm.m(), gemm.n(), gemm.k()}).containsExactly(3, 5, 7);
    assertThat(new int[] {gemm.strideA(), gemm.strideB(), gemm.strideC()}).containsExactly(7, 7, 5);
  }

  @Test
  void rowsThatOverlapAreRefused() {
    assertThatThrownBy(
            () -> new Gemm(false, false, 2, 3, 4, ElementType.F32, ElementType.F32, 4, 2, 3, false))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("m = 2, n = 3, k = 4 with rows 4, 2 and 3 apart");
  }

  @Test
  void aMatmulTakesExactlyTheOperandsThatItDeclares() {
    Gemm gemm = Gemm.linear(3, 5, 7, ElementType.BF16, ElementType.BF16);
    LtMatmul biased = new LtMatmul(gemm, true, LtMatmul.Scaling.NONE);
    biased.require(new LtMatmul.Operands(16, 32, 48, 64, 0, 0));
    assertThatThrownBy(() -> biased.require(LtMatmul.Operands.of(16, 32, 48)))
        .isInstanceOf(IllegalArgumentException.class);
    LtMatmul scaled = new LtMatmul(gemm, false, LtMatmul.Scaling.PER_ROW);
    assertThatThrownBy(() -> scaled.require(new LtMatmul.Operands(16, 32, 48, 0, 64, 0)))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
