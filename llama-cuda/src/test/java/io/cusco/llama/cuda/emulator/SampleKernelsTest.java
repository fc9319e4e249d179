package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Whole kernels as nvcc compiles them, with every check on, against the same formula in double.
class SampleKernelsTest {
  /// Two roundings to bf16 (probabilities and result), values up to about 2.
  private static final double BF16_TOLERANCE = 2 * 0x1p-8;

  private static final String SAMPLES = EmulatedDevice.resource("samples.ptx");
  private static final String ATTENTION = EmulatedDevice.resource("attention.ptx");

  private final SplittableRandom random = new SplittableRandom(20261121);

  private static EmulatedDevice samples(long seed) {
    return new EmulatedDevice(SAMPLES, EmulatorOptions.checked(seed));
  }

  private float[] values(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      float value = (float) random.nextGaussian();
      values[i] = FloatBits.fromBf16(FloatBits.toBf16(value));
    }
    return values;
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void rmsNorm(long seed) {
    EmulatedDevice device = samples(seed);
    int hiddenSize = 207;
    float[] x = values(3 * hiddenSize);
    float[] weight = values(hiddenSize);
    long y = device.empty(3L * hiddenSize * 2);
    device.launch(
        "rms_norm",
        LaunchConfig.of(3, 256, 0),
        device.bfloat16s(x),
        device.bfloat16s(weight),
        y,
        hiddenSize,
        1e-5f);
    float[] actual = device.bfloat16sAt(y, x.length);
    for (int row = 0; row < 3; row++) {
      double squares = 0;
      for (int i = 0; i < hiddenSize; i++) {
        squares += (double) x[row * hiddenSize + i] * x[row * hiddenSize + i];
      }
      double scale = 1 / Math.sqrt(squares / hiddenSize + 1e-5);
      for (int i = 0; i < hiddenSize; i++) {
        double expected = x[row * hiddenSize + i] * scale * weight[i];
        assertThat((double) actual[row * hiddenSize + i])
            .isCloseTo(expected, Offset.offset(0x1p-8 * Math.abs(expected) + 1e-6));
      }
    }
  }

  @Test
  void siluMul() {
    EmulatedDevice device = samples(4);
    int count = 13;
    float[] gate = values(8 * count);
    float[] up = values(8 * count);
    long y = device.empty(16L * count);
    device.launch(
        "silu_mul",
        LaunchConfig.of(2, 32, 0),
        device.bfloat16s(gate),
        device.bfloat16s(up),
        y,
        count);
    float[] actual = device.bfloat16sAt(y, 8 * count);
    for (int i = 0; i < actual.length; i++) {
      double expected = gate[i] / (1 + Math.exp(-gate[i])) * up[i];
      assertThat((double) actual[i])
          .isCloseTo(expected, Offset.offset(0x1p-8 * Math.abs(expected) + 1e-6));
    }
  }

  @Test
  void ropeWithSlowRangeReduction() {
    EmulatedDevice device = samples(5);
    // The last position takes the path of sincosf that reads a table and local memory.
    int[] positions = {0, 5, 8193, 1_000_000};
    float[] x = values(4 * 2 * 64);
    long address = device.floats(x);
    device.launch(
        "rope", new LaunchConfig(4, 2, 1, 32, 1, 1, 0), address, device.ints(positions), 10000f);
    float[] actual = device.floatsAt(address, x.length);
    for (int token = 0; token < 4; token++) {
      for (int i = 0; i < 32; i++) {
        // The angle is what f32 makes of it: its error would swamp the rest at large positions.
        float frequency = (float) Math.pow(10000, -2.0 * i / 64);
        double angle = frequency * positions[token];
        int at = token * 128 + i;
        double expected = x[at] * Math.cos(angle) - x[at + 32] * Math.sin(angle);
        // powf may be off by some units in the last place, which the position multiplies.
        double tolerance = 1e-5 + 8 * 0x1p-24 * Math.abs(angle);
        assertThat((double) actual[at]).isCloseTo(expected, Offset.offset(4 * tolerance));
      }
    }
  }

  @Test
  void gemvOfQ8AndQ4() {
    EmulatedDevice device = samples(6);
    int numRows = 13;
    int blocks = 35;
    float[] x = values(32 * blocks);
    for (int bytes : new int[] {32, 16}) {
      ByteBuffer weights =
          ByteBuffer.allocate(numRows * blocks * (2 + bytes)).order(ByteOrder.LITTLE_ENDIAN);
      double[] expected = new double[numRows];
      for (int row = 0; row < numRows; row++) {
        for (int block = 0; block < blocks; block++) {
          float scale = Float.float16ToFloat(Float.floatToFloat16((float) random.nextDouble()));
          weights.putShort(Float.floatToFloat16(scale));
          for (int i = 0; i < bytes; i++) {
            byte packed = (byte) random.nextInt();
            weights.put(packed);
            if (bytes == 32) {
              expected[row] += (double) scale * packed * x[32 * block + i];
            } else {
              expected[row] += (double) scale * ((packed & 15) - 8) * x[32 * block + i];
              expected[row] += (double) scale * ((packed >> 4 & 15) - 8) * x[32 * block + 16 + i];
            }
          }
        }
      }
      long y = device.empty(4L * numRows);
      device.launch(
          bytes == 32 ? "gemv_q8_0" : "gemv_q4_0",
          LaunchConfig.of(4, 128, 0),
          device.bytes(weights.array()),
          device.floats(x),
          y,
          numRows,
          blocks);
      float[] actual = device.floatsAt(y, numRows);
      for (int row = 0; row < numRows; row++) {
        // 1120 terms of up to 128: the f32 sum keeps five digits.
        assertThat((double) actual[row]).isCloseTo(expected[row], Offset.offset(0.05));
      }
    }
  }

  @Test
  void radixSelectFindsTheKthLargest() {
    EmulatedDevice device = samples(7);
    float[] x = values(1000);
    float[] sorted = x.clone();
    Arrays.sort(sorted);
    long address = device.floats(x);
    long threshold = device.empty(4);
    for (int k : new int[] {1, 40, 1000}) {
      device.launch("radix_select", LaunchConfig.of(1, 256, 0), address, 1000, k, threshold);
      int bits = device.intAt(threshold);
      int asFloat = bits < 0 ? bits & 0x7fff_ffff : ~bits;
      assertThat(Float.intBitsToFloat(asFloat)).isEqualTo(sorted[1000 - k]);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void fencedHandOverBetweenBlocksIsNoRace(long seed) {
    EmulatedDevice device = samples(seed);
    float[] x = values(5 * 32);
    double expected = 0;
    for (float value : x) {
      expected += value;
    }
    long result = device.empty(4);
    long parts = device.empty(20);
    for (int run = 0; run < 2; run++) {
      device.launch("sum_of_blocks", LaunchConfig.of(5, 32, 0), device.floats(x), parts, result);
      assertThat((double) device.floatsAt(result, 1)[0]).isCloseTo(expected, Offset.offset(1e-4));
    }
    assertThat(device.loaded().globalBytes("finishedBlocks")).isEqualTo(4);
    assertThat(device.intAt(device.loaded().globalAddress("finishedBlocks"))).isZero();
  }

  @Test
  void dynamicSharedMemoryAndAsynchronousCopies() {
    EmulatedDevice device = samples(8);
    float[] x = values(2 * 64 * 4);
    long y = device.empty(x.length * 4L);
    device.launch("reverse_tiles", LaunchConfig.of(2, 64, 64 * 16), device.floats(x), y);
    float[] actual = device.floatsAt(y, x.length);
    for (int i = 0; i < x.length; i++) {
      int vector = i / 4;
      int source = vector / 64 * 64 + 63 - vector % 64;
      assertThat(actual[i]).isEqualTo(x[source * 4 + i % 4]);
    }
  }

  @Test
  void functionsOfTheCudaLibrary() {
    EmulatedDevice device = samples(9);
    float[] x = new float[32];
    for (int i = 0; i < 32; i++) {
      // Some arguments are large enough for the slow range reduction.
      x[i] = (float) (random.nextDouble() * (i % 4 == 0 ? 1e6 : 10) + 0.1);
    }
    long y = device.empty(32 * 12 * 4);
    device.launch("math_functions", LaunchConfig.of(1, 32, 0), device.floats(x), y);
    float[] actual = device.floatsAt(y, 32 * 12);
    for (int i = 0; i < 32; i++) {
      double value = x[i];
      double scaled = x[i] / 1000;
      double[] expected = {
        Math.sin(value),
        Math.cos(value),
        Math.tan(value),
        Math.exp(scaled),
        Math.log(value),
        Math.cbrt(value),
        Math.atan(value),
        Math.tanh(scaled),
        value % 0.7f,
        Math.exp(value / 1000),
        Math.floor(value + 0.5),
        Math.floor(x[i] * 1e9f / 1000003.0)
      };
      for (int k = 0; k < 12; k++) {
        // The library promises a few units in the last place; 2^-21 is eight of them.
        double tolerance = Math.abs(expected[k]) * 0x1p-21 + 1e-7;
        if (Float.isInfinite((float) expected[k])) {
          assertThat(actual[12 * i + k]).isEqualTo((float) expected[k]);
        } else {
          assertThat((double) actual[12 * i + k])
              .as("function %d of %s", k, x[i])
              .isCloseTo(expected[k], Offset.offset(tolerance));
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 13, 64, 100})
  void prefillAttention(int numTokens) {
    EmulatedDevice device = new EmulatedDevice(ATTENTION, EmulatorOptions.checked(numTokens));
    int numHeads = 2;
    float[] q = values(numTokens * numHeads * 64);
    float[] k = values(q.length);
    float[] v = values(q.length);
    long out = device.empty(q.length * 2L);
    device.launch(
        "attention_prefill",
        new LaunchConfig((numTokens + 63) / 64, numHeads, 1, 128, 1, 1, 0),
        device.bfloat16s(q),
        device.bfloat16s(k),
        device.bfloat16s(v),
        out,
        numTokens,
        numHeads,
        0.125f);
    float[] actual = device.bfloat16sAt(out, q.length);
    for (int token = 0; token < numTokens; token++) {
      for (int head = 0; head < numHeads; head++) {
        int at = (token * numHeads + head) * 64;
        double[] expected = attend(q, at, k, v, token + 1, numHeads * 64, head * 64);
        for (int i = 0; i < 64; i++) {
          assertThat((double) actual[at + i]).isCloseTo(expected[i], Offset.offset(BF16_TOLERANCE));
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2})
  void splitDecodingOverPages(long seed) {
    EmulatedDevice device = new EmulatedDevice(ATTENTION, EmulatorOptions.checked(seed));
    int numHeads = 4;
    int[] lengths = {1, 37, 64};
    int pages = 4;
    // Pages of the sequences, scattered; unused entries are wild.
    int[] table = {5, -1, -1, -1, 2, 7, 0, -1, 9, 1, 8, 3};
    float[] q = values(3 * numHeads * 64);
    float[] k = values(10 * 16 * 2 * 64);
    float[] v = values(k.length);
    long partial = device.empty(12 * 3 * 64 * 4);
    long weights = device.empty(12 * 3 * 8);
    long out = device.empty(q.length * 2L);
    device.launch(
        "attention_decode",
        new LaunchConfig(3, 2, 3, 128, 1, 1, 0),
        device.bfloat16s(q),
        device.bfloat16s(k),
        device.bfloat16s(v),
        device.ints(table),
        device.ints(lengths),
        partial,
        weights,
        pages,
        numHeads,
        0.125f);
    device.launch("attention_merge", LaunchConfig.of(12, 64, 0), partial, weights, out, 3);
    float[] actual = device.bfloat16sAt(out, q.length);
    for (int sequence = 0; sequence < 3; sequence++) {
      for (int head = 0; head < numHeads; head++) {
        int length = lengths[sequence];
        float[] keys = new float[length * 64];
        float[] valueRows = new float[length * 64];
        for (int t = 0; t < length; t++) {
          int slot = table[sequence * pages + t / 16] * 16 + t % 16;
          System.arraycopy(k, (slot * 2 + head / 2) * 64, keys, t * 64, 64);
          System.arraycopy(v, (slot * 2 + head / 2) * 64, valueRows, t * 64, 64);
        }
        int at = (sequence * numHeads + head) * 64;
        double[] expected = attend(q, at, keys, valueRows, length, 64, 0);
        for (int i = 0; i < 64; i++) {
          assertThat((double) actual[at + i]).isCloseTo(expected[i], Offset.offset(BF16_TOLERANCE));
        }
      }
    }
  }

  /// Softmax attention of one query over the first `length` keys.
  private static double[] attend(
      float[] q, int query, float[] k, float[] v, int length, int stride, int offset) {
    double[] weights = new double[length];
    double total = 0;
    for (int t = 0; t < length; t++) {
      double score = 0;
      for (int i = 0; i < 64; i++) {
        score += (double) q[query + i] * k[t * stride + offset + i];
      }
      weights[t] = Math.exp(score / 8);
      total += weights[t];
    }
    double[] result = new double[64];
    for (int t = 0; t < length; t++) {
      for (int i = 0; i < 64; i++) {
        result[i] += weights[t] / total * v[t * stride + offset + i];
      }
    }
    return result;
  }
}
