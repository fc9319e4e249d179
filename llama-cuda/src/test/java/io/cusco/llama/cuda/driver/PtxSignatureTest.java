package io.cusco.llama.cuda.driver;

import static io.cusco.llama.cuda.driver.ParameterType.FLOAT;
import static io.cusco.llama.cuda.driver.ParameterType.INT;
import static io.cusco.llama.cuda.driver.ParameterType.LONG;
import static io.cusco.llama.cuda.driver.ParameterType.POINTER;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cuda.driver.PtxSignature.Parameter;
import java.util.List;
import org.junit.jupiter.api.Test;

class PtxSignatureTest {
  /// In the manner of nvcc 13 for compute_80, with the variations that PTX allows.
  private static final String PTX =
      """
      // .visible .entry notThis(.param .u64 a)
      .version 7.0
      .target sm_80
      .address_size 64
      /* .entry norThis() */
      .visible .entry scale(
      \t.param .u64 scale_param_0,
      \t.param .u32 scale_param_1, // rows, columns
      \t.param .f32 scale_param_2,
      \t.param .u64 .ptr .global .align 16 scale_param_3
      )
      .maxntid 256, 1, 1
      {
      \tld.param.u64 %rd1, [scale_param_0];
      }
      .entry empty()
      { ret; }
      .entry structures(.param .u8 a, .param .align 8 .b8 b[24], .param .u16 c)
      { ret; }
      """;

  @Test
  void entriesAreReadInOrderWithTheirLayout() {
    assertThat(PtxSignature.parse(PTX))
        .containsExactly(
            new PtxSignature(
                "scale",
                List.of(
                    new Parameter("u64", 8, 0),
                    new Parameter("u32", 4, 8),
                    new Parameter("f32", 4, 12),
                    new Parameter("u64", 8, 16))),
            new PtxSignature("empty", List.of()),
            new PtxSignature(
                "structures",
                List.of(
                    new Parameter("u8", 1, 0),
                    new Parameter("b8", 24, 8),
                    new Parameter("u16", 2, 32))));
  }

  @Test
  void theJavaSideHasToFit() {
    PtxSignature scale = PtxSignature.parse(PTX).getFirst();
    assertThatCode(() -> scale.require(List.of(POINTER, INT, FLOAT, LONG)))
        .doesNotThrowAnyException();
    assertThatThrownBy(() -> scale.require(List.of(POINTER, FLOAT, INT, POINTER)))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("kernel scale takes (.u64, .u32, .f32, .u64)")
        .hasMessageContaining("[POINTER, FLOAT, INT, POINTER]");
    assertThatThrownBy(() -> scale.require(List.of(POINTER))).isInstanceOf(LlamaException.class);
  }

  @Test
  void aStructureIsNamedByItsSize() {
    PtxSignature structures = PtxSignature.parse(PTX).getLast();
    assertThatThrownBy(() -> structures.require(List.of(INT, LONG, INT)))
        .hasMessageContaining("(.u8, .b8[24], .u16)");
  }

  @Test
  void aParameterThatIsNotUnderstoodIsShown() {
    assertThatThrownBy(() -> PtxSignature.parse(".entry k(.param .texref t) { }"))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("kernel k: parameter 0 is not understood: .param .texref t");
  }
}
