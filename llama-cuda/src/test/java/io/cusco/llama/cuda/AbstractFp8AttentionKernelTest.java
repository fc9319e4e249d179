package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.cuda.driver.CudaDevice;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Attention over FP8 caches against float64 attention over the very numbers that they hold: what
/// storing costs is another matter (`AbstractRopeKernelTest`). Scales differ from row to row, and
/// slots that nobody sees have none.
abstract class AbstractFp8AttentionKernelTest extends AbstractKernelTest {
  private static final int[][] DECODES = {{1, 1}, {1, 16}, {1, 0}, {1, 17}, {1, 65}, {1, 300}};

  private static final int[][] MIXED = {{5, 5}, {1, 17}, {130, 131}, {3, 200}, {2, 2}, {17, 18}};

  /// Query heads, key/value heads and head width: groups of one and three, and of nine and sixteen,
  /// which are two rows of blocks. Types differ in how results are stored only.
  static Stream<Arguments> tiledShapes() {
    int[][] shapes = {{2, 2, 64}, {3, 1, 64}, {9, 1, 64}, {6, 2, 128}, {16, 1, 128}};
    return Stream.concat(
        Arrays.stream(shapes).map(s -> Arguments.of(ActivationType.BF16, s[0], s[1], s[2])),
        Stream.of(
            Arguments.of(ActivationType.F16, 4, 2, 64),
            Arguments.of(ActivationType.F16, 2, 1, 128)));
  }

  @BeforeEach
  void requireFp8() {
    CudaDevice gpu = device.context().device();
    assumeTrue(gpu.hasCompute(8, 9), () -> gpu.description() + " has no FP8 instructions");
  }

  @ParameterizedTest
  @MethodSource("tiledShapes")
  void singleTokensSeeTheirContexts(ActivationType type, int heads, int kvHeads, int headDim) {
    check(type, heads, kvHeads, headDim, 16, DECODES);
  }

  @ParameterizedTest
  @MethodSource("tiledShapes")
  void mixedStepsSeeWhatCausalityAllows(ActivationType type, int heads, int kvHeads, int headDim) {
    check(type, heads, kvHeads, headDim, 24, MIXED);
  }

  @ParameterizedTest
  @EnumSource(ActivationType.class)
  void anyHeadWidthIsServed(ActivationType type) {
    int[][] shapes = {
      {4, 2, 18}, {2, 2, 40}, {1, 1, 256}, {3, 1, type == ActivationType.F32 ? 64 : 80}
    };
    for (int[] shape : shapes) {
      check(type, shape[0], shape[1], shape[2], 7, new int[][] {{5, 5}, {1, 17}, {1, 0}, {3, 200}});
    }
  }

  /// Where a warp's keys are more than its ring holds.
  @Test
  void splitsGrowWithContextsThatHaveTooManyOfThem() {
    for (ActivationType type : new ActivationType[] {ActivationType.BF16, ActivationType.F16}) {
      check(type, 2, 1, 64, 256, new int[][] {{1, 64 * 256 + 300}});
    }
  }

  @Test
  void aSequenceDoesNotDependOnItsNeighboursNorOnTheGrid() {
    for (int headDim : new int[] {18, 64, 128}) {
      AttentionBatch batch =
          batch(ActivationType.BF16, 4, 2, headDim, 16, new int[][] {{1, 300}, {40, 60}, {1, 20}});
      float[] together = batch.run(device, random, 0);
      int from = 0;
      for (int i = 0; i < batch.numSequences(); i++) {
        float[] alone = batch.alone(i).run(device, random, 3000);
        assertThat(Arrays.copyOfRange(together, from, from + alone.length))
            .as("sequence %d of %s", i, batch)
            .isEqualTo(alone);
        from += alone.length;
      }
    }
  }

  @Test
  void tokensTakenByThemselvesHaveTheBitsThatTheyHaveAlone() {
    for (int headDim : new int[] {64, 128}) {
      AttentionBatch batch =
          batch(ActivationType.BF16, 4, 2, headDim, 16, new int[][] {{1, 300}, {20, 41}, {3, 260}});
      float[] taken = batch.runAlone(device, random, 100);
      AbstractAttentionKernelTest.check(batch, taken);
      assertThat(taken).as("%s", batch).isEqualTo(batch.apart().run(device, random, 0));
      device.free();
    }
  }

  @Test
  void aRecordedStepServesShorterContexts() {
    int[] shorter = {20, 400, 0};
    for (int headDim : new int[] {64, 128}) {
      AttentionBatch batch =
          batch(ActivationType.F16, 4, 2, headDim, 16, new int[][] {{1, 300}, {1, 401}, {1, 5}});
      List<float[]> results = batch.replay(device, random, 512, shorter);
      AbstractAttentionKernelTest.check(batch, results.get(0));
      AbstractAttentionKernelTest.check(batch.cut(shorter), results.get(1));
    }
  }

  private AttentionBatch batch(
      ActivationType type, int heads, int kvHeads, int headDim, int blockSize, int[][] lengths) {
    return AttentionBatch.random(
        random,
        new KvFormat(type, true),
        AbstractAttentionKernelTest.config(heads, kvHeads, headDim),
        blockSize,
        lengths);
  }

  private void check(
      ActivationType type, int heads, int kvHeads, int headDim, int blockSize, int[][] lengths) {
    AttentionBatch batch = batch(type, heads, kvHeads, headDim, blockSize, lengths);
    AbstractAttentionKernelTest.check(batch, batch.run(device, random, 0));
    device.free();
  }
}
