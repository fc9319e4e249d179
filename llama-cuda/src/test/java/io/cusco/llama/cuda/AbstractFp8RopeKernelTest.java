package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.cuda.CudaKernels.KvPools;
import io.cusco.llama.cuda.CudaKernels.RotaryAddresses;
import io.cusco.llama.cuda.CudaKernels.TokenPlaces;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.RotaryTable;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// rope_and_store_kv into an FP8 cache, to the bit: queries, elements and scales are what the same
/// arithmetic in Java, whose operations are IEEE's, gives to [io.cusco.llama.testkit.Fp8Rows].
abstract class AbstractFp8RopeKernelTest extends AbstractKernelTest {
  private static final int MAX_POSITIONS = 300;
  private static final int BLOCK_SIZE = 7;
  private static final int NUM_BLOCKS = 3;
  private static final int TOKENS = 7;

  /// In pools, where nothing is stored.
  private static final byte UNTOUCHED = 0x55;

  /// Heads, key/value heads and head width: Llama 3's, multi-head, widths that are no whole number
  /// of vectors, one pair, and more rows of keys and values than a block of threads has.
  private static final int[][] SHAPES = {
    {4, 2, 64}, {8, 2, 128}, {3, 3, 48}, {5, 1, 50}, {1, 1, 2}, {40, 20, 80}, {6, 2, 8},
  };

  @BeforeEach
  void requireFp8() {
    CudaDevice gpu = device.context().device();
    assumeTrue(gpu.hasCompute(8, 9), () -> gpu.description() + " has no FP8 instructions");
  }

  @ParameterizedTest
  @EnumSource(RotaryLayout.class)
  void queriesTurnAndKeysAndValuesAreScaledIntoTheirSlots(RotaryLayout layout) {
    for (int[] shape : SHAPES) {
      for (ActivationType type : ActivationType.values()) {
        // Both 16-bit types have the same kernel.
        if (type == ActivationType.F16 && shape[2] != 64) {
          continue;
        }
        check(type, layout, shape[0], shape[1], shape[2]);
        device.free();
      }
    }
  }

  private void check(
      ActivationType type, RotaryLayout layout, int heads, int kvHeads, int headDim) {
    LlamaConfig config =
        new LlamaConfig(
            heads * headDim,
            1,
            1,
            heads,
            kvHeads,
            headDim,
            1,
            8192,
            1e-5f,
            10_000,
            new RopeScaling.None(),
            false);
    KvFormat format = new KvFormat(type, true);
    int[] slots = {20, 3, -1, 0, 13, 14, 7};
    int[] positions = new int[TOKENS];
    for (int i = 0; i < TOKENS; i++) {
      positions[i] = random.nextInt(MAX_POSITIONS);
    }
    int width = (heads + 2 * kvHeads) * headDim;
    float[] qkv = rowsOfManySizes(TOKENS * width, headDim);
    int rows = NUM_BLOCKS * kvHeads * BLOCK_SIZE;
    byte[] keys = untouched(rows * headDim);
    byte[] values = untouched(rows * headDim);
    byte[] scales = untouched(rows * 2 * format.scaleBytes());
    float[] queries = new float[TOKENS * heads * headDim];
    try (Arena arena = Arena.ofConfined()) {
      RotaryTable table = RotaryTable.of(config, MAX_POSITIONS, arena);
      DeviceBuffer deviceQueries = device.output(format.queries(), queries.length);
      DeviceBuffer deviceKeys = device.upload(keys);
      DeviceBuffer deviceValues = device.upload(values);
      DeviceBuffer deviceScales = device.upload(scales);
      new CudaKernels(
              device.modules(), format, config, layout, new KvCacheSpec(BLOCK_SIZE, NUM_BLOCKS))
          .ropeAndStoreKv(
              device.stream(),
              device.upload(ActivationType.F32, qkv).address(),
              new TokenPlaces(device.upload(positions).address(), device.upload(slots).address()),
              new RotaryAddresses(
                  device.upload(table.cos()).address(), device.upload(table.sin()).address()),
              deviceQueries.address(),
              new KvPools(deviceKeys.address(), deviceValues.address(), deviceScales.address()),
              TOKENS);
      for (int token = 0; token < TOKENS; token++) {
        for (int head = 0; head < heads + 2 * kvHeads; head++) {
          int from = token * width + head * headDim;
          float[] row = Arrays.copyOfRange(qkv, from, from + headDim);
          if (head < heads + kvHeads) {
            turn(row, layout, table, positions[token]);
          }
          if (head < heads) {
            System.arraycopy(row, 0, queries, (token * heads + head) * headDim, headDim);
          } else if (slots[token] >= 0) {
            boolean isKey = head < heads + kvHeads;
            int kvHead = head - heads - (isKey ? 0 : kvHeads);
            int block = slots[token] / BLOCK_SIZE;
            int at = (block * kvHeads + kvHead) * BLOCK_SIZE + slots[token] % BLOCK_SIZE;
            byte[] elements = Fp8Encoding.elements(row, headDim);
            System.arraycopy(elements, 0, isKey ? keys : values, at * headDim, headDim);
            byte[] scale = Fp8Encoding.scale(row, 0, headDim);
            System.arraycopy(
                scale, 0, scales, (2 * at + (isKey ? 0 : 1)) * scale.length, scale.length);
          }
        }
      }
      String what =
          "%s %s, %d heads over %d of %d".formatted(type, layout, heads, kvHeads, headDim);
      assertThat(device.download(format.queries(), deviceQueries))
          .as("queries of %s", what)
          .isEqualTo(KernelDevice.rounded(format.queries(), queries));
      assertThat(device.download(deviceScales)).as("scales of %s", what).isEqualTo(scales);
      assertThat(device.download(deviceKeys)).as("keys of %s", what).isEqualTo(keys);
      assertThat(device.download(deviceValues)).as("values of %s", what).isEqualTo(values);
    }
  }

  private static byte[] untouched(int count) {
    byte[] bytes = new byte[count];
    Arrays.fill(bytes, UNTOUCHED);
    return bytes;
  }

  /// Rows of heads from 2^-40, where scales end, to 2^9; some of zeros, some whose largest element
  /// is just what a scale still reaches.
  private float[] rowsOfManySizes(int count, int headDim) {
    float[] values = new float[count];
    for (int from = 0; from < count; from += headDim) {
      int exponent = random.nextInt(50) - 40;
      for (int i = from; i < from + headDim; i++) {
        values[i] = (float) Math.scalb(random.nextGaussian(), exponent);
      }
      switch (random.nextInt(8)) {
        case 0 -> Arrays.fill(values, from, from + headDim, 0);
        case 1 -> values[from] = 448;
        case 2 -> values[from] = -Math.nextUp(448f);
        default -> {}
      }
    }
    return values;
  }

  private static void turn(float[] row, RotaryLayout layout, RotaryTable table, int position) {
    int half = row.length / 2;
    for (int pair = 0; pair < half; pair++) {
      boolean interleaved = layout == RotaryLayout.INTERLEAVED;
      int first = interleaved ? 2 * pair : pair;
      int second = interleaved ? first + 1 : first + half;
      float cos = entry(table.cos(), position * half + pair);
      float sin = entry(table.sin(), position * half + pair);
      float a = row[first];
      float b = row[second];
      row[first] = Math.fma(a, cos, -(b * sin));
      row[second] = Math.fma(b, cos, a * sin);
    }
  }

  private static float entry(MemorySegment table, int index) {
    return table.getAtIndex(ValueLayout.JAVA_FLOAT, index);
  }
}
