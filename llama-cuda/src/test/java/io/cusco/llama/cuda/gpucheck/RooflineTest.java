package io.cusco.llama.cuda.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.backend.KvType;
import io.cusco.llama.config.LlamaConfig;
import org.junit.jupiter.api.Test;

/// Expected values were computed apart from this code, from the published shapes and the round
/// numbers of [#ROOFLINE].
class RooflineTest {
  private static final Roofline ROOFLINE = new Roofline(4.3e12, 790e12, 1422e12);

  private static LlamaConfig config(int model) {
    return Scale.real().models().models().get(model).config();
  }

  private static final int SMALL = 0;
  private static final int LARGE = 1;

  private static double decodeRate(int model, int batch) {
    return batch / ROOFLINE.decodeSeconds(config(model), false, KvType.AUTO, batch, 1024);
  }

  @Test
  void fp8HalvesTheBytesOfTheLayersAlone() {
    assertThat(1 / ROOFLINE.decodeSeconds(config(LARGE), true, KvType.AUTO, 1, 1024))
        .isCloseTo(527, within(1.0));
    assertThat(256 / ROOFLINE.decodeSeconds(config(LARGE), true, KvType.AUTO, 256, 1024))
        .isCloseTo(23_607, within(20.0));
  }

  /// 32 layers of 8 heads of 128: keys and values of 256 bytes become 128 and a scale of 2.
  @Test
  void anFp8CacheIsReadInHalfTheTime() {
    double saved =
        ROOFLINE.decodeSeconds(config(LARGE), false, KvType.AUTO, 64, 1024)
            - ROOFLINE.decodeSeconds(config(LARGE), false, KvType.FP8, 64, 1024);
    assertThat(saved * 4.3e12).isCloseTo(64.0 * 1024 * 2 * 8 * 32 * 126, within(1e3));
  }

  @Test
  void decodingReadsEveryMatrixOnceAndEveryKeyAndValue() {
    assertThat(decodeRate(LARGE, 1)).isCloseTo(284, within(0.5));
    assertThat(decodeRate(LARGE, 64)).isCloseTo(11_661, within(10.0));
    assertThat(decodeRate(SMALL, 1)).isCloseTo(1_717, within(2.0));
  }

  @Test
  void largeBatchesAreBoundByProducts() {
    assertThat(decodeRate(LARGE, 256)).isCloseTo(19_915, within(15.0));
  }

  @Test
  void promptsAreBoundByProductsAndAttention() {
    double seconds = ROOFLINE.prefillSeconds(config(LARGE), false, 4, 2048);
    assertThat(4 * 2048 / seconds).isCloseTo(54_411, within(10.0));
  }

  @Test
  void attentionCountsEveryPairOfTokensOnce() {
    assertThat(Roofline.attentionFlops(2, 64, 3)).isEqualTo(4.0 * 6 * 2 * 64);
  }
}
