package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.AttentionBatch.Expected;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Attention against float64, over caches of which nothing but visible keys was ever written.
abstract class AbstractAttentionKernelTest extends AbstractKernelTest {
  private static final int[][] DECODES = {
    {1, 1}, {1, 15}, {1, 16}, {1, 17}, {1, 63}, {1, 64}, {1, 65}, {1, 200}, {1, 1000},
  };

  /// Prompts, later chunks of prompts and single tokens; tails of every tile, and tiles of which
  /// some warps see nothing.
  private static final int[][] MIXED = {
    {5, 5}, {1, 17}, {130, 130}, {3, 200}, {1, 1}, {64, 64}, {2, 2}, {65, 150}, {1, 300}, {17, 18},
  };

  static Stream<Arguments> tiledShapes() {
    // Query heads, key/value heads and head width; groups of 1 to 8, of 9 and 16, which are two
    // rows of blocks, and Llama 3's.
    int[][] shapes = {
      {2, 2, 64}, {4, 2, 64}, {3, 1, 64}, {8, 2, 64}, {8, 1, 64}, {9, 1, 64},
      {2, 2, 128}, {2, 1, 128}, {6, 2, 128}, {4, 1, 128}, {8, 1, 128}, {16, 1, 128},
    };
    return Stream.of(ActivationType.BF16, ActivationType.F16)
        .flatMap(type -> Arrays.stream(shapes).map(s -> Arguments.of(type, s[0], s[1], s[2])));
  }

  static Stream<Arguments> plainShapes() {
    int[][] narrow = {{4, 2, 18}, {2, 1, 48}, {3, 1, 80}, {2, 2, 40}, {1, 1, 256}};
    int[][] exact = {{4, 2, 64}, {2, 1, 128}, {9, 1, 64}};
    return Arrays.stream(ActivationType.values())
        .flatMap(type ->
            Stream.concat(
                    Arrays.stream(narrow),
                    type == ActivationType.F32 ? Arrays.stream(exact) : Stream.empty())
                .map(s -> Arguments.of(type, s[0], s[1], s[2])));
  }

  @ParameterizedTest
  @MethodSource("tiledShapes")
  void singleTokensSeeTheirContexts(ActivationType type, int heads, int kvHeads, int headDim) {
    check(type, heads, kvHeads, headDim, 16, DECODES);
  }

  @ParameterizedTest
  @MethodSource("tiledShapes")
  void mixedStepsSeeWhatCausalityAllows(ActivationType type, int heads, int kvHeads, int headDim) {
    check(type, heads, kvHeads, headDim, 32, MIXED);
  }

  @ParameterizedTest
  @MethodSource("plainShapes")
  void anyHeadWidthIsServed(ActivationType type, int heads, int kvHeads, int headDim) {
    check(
        type,
        heads,
        kvHeads,
        headDim,
        16,
        new int[][] {{5, 5}, {1, 17}, {3, 200}, {1, 1}, {1, 300}});
  }

  @Test
  void blocksMayHaveAnySize() {
    for (int headDim : new int[] {18, 64, 128}) {
      for (int blockSize : new int[] {1, 7, 24, 256}) {
        check(
            ActivationType.BF16, 2, 1, headDim, blockSize, new int[][] {{1, 70}, {20, 90}, {2, 2}});
      }
    }
  }

  @Test
  void splitsGrowWithContextsThatHaveTooManyOfThem() {
    int[][] long64 = {{1, 64 * 256 + 300}, {1, 600}};
    check(ActivationType.BF16, 2, 1, 64, 256, long64);
  }

  @Test
  void aSequenceDoesNotDependOnItsNeighboursNorOnTheGrid() {
    for (int headDim : new int[] {18, 64, 128}) {
      AttentionBatch batch =
          AttentionBatch.random(
              random,
              KvFormat.plain(ActivationType.BF16),
              config(4, 2, headDim),
              16,
              new int[][] {{1, 700}, {40, 60}, {1, 20}, {130, 131}});
      float[] together = batch.run(device, random, 0);
      int from = 0;
      for (int i = 0; i < batch.numSequences(); i++) {
        float[] alone = batch.alone(i).run(device, random, 5000);
        assertThat(Arrays.copyOfRange(together, from, from + alone.length))
            .as("sequence %d of %s", i, batch)
            .isEqualTo(alone);
        from += alone.length;
      }
    }
  }

  /// With one split, whose tokens are all taken at once, and with several.
  @Test
  void tokensTakenByThemselvesHaveTheBitsThatTheyHaveAlone() {
    int[][] shortContexts = {{1, 40}, {70, 90}, {5, 5}};
    int[][] longContexts = {{1, 300}, {40, 41}, {3, 600}, {30, 31}, {2, 258}};
    for (int headDim : new int[] {18, 64, 128}) {
      for (ActivationType type : new ActivationType[] {ActivationType.BF16, ActivationType.F16}) {
        for (int[][] lengths : new int[][][] {shortContexts, longContexts}) {
          AttentionBatch batch =
              AttentionBatch.random(
                  random, KvFormat.plain(type), config(4, 2, headDim), 16, lengths);
          float[] taken = batch.runAlone(device, random, 100);
          check(batch, taken);
          assertThat(taken).as("%s", batch).isEqualTo(batch.apart().run(device, random, 0));
          device.free();
        }
      }
    }
  }

  @Test
  void aRecordedStepServesShorterContexts() {
    int[] shorter = {20, 700, 0};
    for (int headDim : new int[] {18, 64, 128}) {
      AttentionBatch batch =
          AttentionBatch.random(
              random,
              KvFormat.plain(ActivationType.F16),
              config(4, 2, headDim),
              16,
              new int[][] {{1, 600}, {1, 701}, {1, 5}});
      List<float[]> results = batch.replay(device, random, 1024, shorter);
      check(batch, results.get(0));
      check(batch.cut(shorter), results.get(1));
    }
  }

  /// More sequences than a warp has lanes, most of them padding: of one token and without keys.
  @ParameterizedTest
  @EnumSource(ActivationType.class)
  void tokensThatPadABatchBecomeZeros(ActivationType type) {
    int[][] lengths = new int[70][];
    Arrays.fill(lengths, new int[] {1, 0});
    lengths[0] = new int[] {1, 30};
    lengths[40] = new int[] {3, 5};
    lengths[50] = new int[] {1, 2};
    for (int headDim : new int[] {18, 64, 128}) {
      LlamaConfig config = config(4, 2, headDim);
      AttentionBatch batch =
          AttentionBatch.random(random, KvFormat.plain(type), config, 16, lengths);
      check(batch, batch.run(device, random, 2000));
    }
  }

  private void check(
      ActivationType type, int heads, int kvHeads, int headDim, int blockSize, int[][] lengths) {
    AttentionBatch batch =
        AttentionBatch.random(
            random, KvFormat.plain(type), config(heads, kvHeads, headDim), blockSize, lengths);
    check(batch, batch.run(device, random, 0));
    device.free();
  }

  static LlamaConfig config(int heads, int kvHeads, int headDim) {
    return KernelDevice.config(heads * headDim, 1, heads, kvHeads, headDim, 1);
  }

  /// A weight is off by a rounding to the type of the queries, where it meets its value, and by
  /// what the roundings of its score in float32 make of it: some 2^-24 of the sum of absolute
  /// products, which is below 50 here. Weights below f16's normal range are off by 2^-25 of the
  /// largest; so few are visible in the sum that their share of the magnitude is below another
  /// rounding.
  static void check(AttentionBatch batch, float[] actual) {
    ActivationType type = batch.format().activations();
    Expected expected = batch.expected();
    double ofWeights = tolerance(batch.format().queries(), 0);
    // Half of what lies between results below f16's normal range.
    double ofResult = type == ActivationType.F16 ? 0x1p-25 : 0;
    for (int i = 0; i < actual.length; i++) {
      double allowed =
          tolerance(type, 4) * Math.abs(expected.results()[i])
              + (ofWeights + 100 * 0x1p-24) * expected.magnitudes()[i]
              + ofResult;
      double error = Math.abs(actual[i] - expected.results()[i]);
      if (!(error <= allowed)) {
        throw new AssertionError(
            "%s: element %d of %d is %s, expected %s within %s"
                .formatted(batch, i, actual.length, actual[i], expected.results()[i], allowed));
      }
    }
  }
}
