package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.sampling.Sampler;
import io.cusco.llama.sampling.SamplingParams;
import java.util.Arrays;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// argmax against core's greedy [Sampler].
abstract class AbstractArgmaxKernelTest extends AbstractKernelTest {
  private static final float INFINITY = Float.POSITIVE_INFINITY;

  @ParameterizedTest
  @ValueSource(ints = {1, 13, 50, 207, 4096, 8192, 8193, 32000, 128_256})
  void theLargestLogitWins(int vocab) {
    int rows = vocab > 10_000 ? 2 : 5;
    float[] logits = randomValues(ActivationType.F32, rows * vocab);
    check(vocab, logits);
  }

  @ParameterizedTest
  @ValueSource(ints = {13, 64, 20_000, 20_001})
  void ofEqualLogitsTheLowestIdWins(int vocab) {
    // A few values only, so that every row has its maximum many times; zeros of both signs.
    float[] logits = new float[6 * vocab];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = i < 3 * vocab ? random.nextInt(3) : -random.nextInt(2) * 0f;
    }
    check(vocab, logits);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 13, 64, 8200, 20_001})
  void brokenRowsGiveNoToken(int vocab) {
    float[] negative = row(vocab, i -> -1e30f - i);
    float[] nan = row(vocab, i -> i == vocab / 2 ? Float.NaN : i);
    float[] negativeNan = row(vocab, i -> i == vocab - 1 ? Float.intBitsToFloat(-1) : i);
    float[] infinite = row(vocab, i -> i == 0 ? INFINITY : i);
    float[] nothing = row(vocab, i -> -INFINITY);
    float[] oneLeft = row(vocab, i -> i == vocab - 1 ? -Float.MAX_VALUE : -INFINITY);
    float[] largest = row(vocab, i -> i == vocab / 3 ? Float.MAX_VALUE : 0);
    float[] logits = new float[7 * vocab];
    int at = 0;
    for (float[] row :
        new float[][] {negative, nan, negativeNan, infinite, nothing, oneLeft, largest}) {
      System.arraycopy(row, 0, logits, at, vocab);
      at += vocab;
    }
    check(vocab, logits);
  }

  @Test
  void moreRunsThanThreadsOfTheSecondStage() {
    int vocab = 40 * 8192;
    float[] logits = randomValues(ActivationType.F32, vocab);
    logits[33 * 8192 + 5] = 1000;
    check(vocab, logits);
  }

  private static float[] row(int vocab, IntFunction<Float> value) {
    float[] row = new float[vocab];
    for (int i = 0; i < vocab; i++) {
      row[i] = value.apply(i);
    }
    return row;
  }

  private void check(int vocab, float[] logits) {
    int rows = logits.length / vocab;
    CudaKernels kernels = kernels(ActivationType.BF16, KernelDevice.config(1, 1, 1, 1, 2, vocab));
    DeviceBuffer ids = device.output((long) rows * Integer.BYTES);
    kernels.argmax(
        device.stream(),
        device.upload(ActivationType.F32, logits).address(),
        device.output(kernels.argmaxWorkspaceBytes(rows)).address(),
        ids.address(),
        rows);
    Sampler sampler = new Sampler(vocab);
    int[] expected = new int[rows];
    for (int row = 0; row < rows; row++) {
      float[] one = Arrays.copyOfRange(logits, row * vocab, (row + 1) * vocab);
      expected[row] = sampler.sample(one, SamplingParams.GREEDY, null, 0);
    }
    assertThat(device.downloadInts(ids)).as("vocabulary of %d", vocab).isEqualTo(expected);
  }
}
