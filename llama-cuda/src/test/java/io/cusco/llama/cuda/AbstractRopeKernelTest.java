package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.cuda.CudaKernels.KvPools;
import io.cusco.llama.cuda.CudaKernels.RotaryAddresses;
import io.cusco.llama.cuda.CudaKernels.TokenPlaces;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.RotaryTable;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// rope_and_store_kv against float64 rotation and an index computation of its own.
abstract class AbstractRopeKernelTest extends AbstractKernelTest {
  private static final int MAX_POSITIONS = 600;
  private static final int BLOCK_SIZE = 16;
  private static final int NUM_BLOCKS = 4;

  /// Heads, key/value heads and head width: Llama 3.2's and 3's, multi-head and multi-query, widths
  /// that are no whole number of vectors, one pair, more heads than one block of threads has rows.
  private static final int[][] SHAPES = {
    {4, 2, 64}, {8, 2, 128}, {3, 3, 48}, {5, 1, 50}, {1, 1, 2}, {7, 7, 26}, {40, 8, 80}, {6, 2, 8},
  };

  static Stream<Arguments> typesAndLayouts() {
    return Arrays.stream(ActivationType.values())
        .flatMap(
            type -> Arrays.stream(RotaryLayout.values()).map(layout -> Arguments.of(type, layout)));
  }

  @ParameterizedTest
  @MethodSource("typesAndLayouts")
  void queriesTurnAndKeysAndValuesReachTheirSlots(ActivationType type, RotaryLayout layout) {
    for (int[] shape : SHAPES) {
      check(type, layout, shape[0], shape[1], shape[2], new RopeScaling.None());
      device.free();
    }
  }

  static Stream<Arguments> scalings() {
    return Stream.of(
            new RopeScaling.Linear(4),
            new RopeScaling.Llama3(8, 1, 4, 8192),
            new RopeScaling.FrequencyFactors(factors(32)))
        .map(Arguments::of);
  }

  @ParameterizedTest
  @MethodSource("scalings")
  void scalingComesFromTheTable(RopeScaling scaling) {
    for (RotaryLayout layout : RotaryLayout.values()) {
      check(ActivationType.BF16, layout, 4, 2, 64, scaling);
    }
  }

  private static float[] factors(int count) {
    float[] factors = new float[count];
    for (int i = 0; i < count; i++) {
      factors[i] = 1 + i / 4f;
    }
    return factors;
  }

  private void check(
      ActivationType type,
      RotaryLayout layout,
      int heads,
      int kvHeads,
      int headDim,
      RopeScaling scaling) {
    LlamaConfig config =
        new LlamaConfig(
            heads * headDim, 1, 1, heads, kvHeads, headDim, 1, 8192, 1e-5f, 10_000, scaling, false);
    int tokens = 5;
    int[] slots = distinctSlots(tokens);
    slots[3] = -1;
    int[] positions = new int[tokens];
    for (int i = 0; i < tokens; i++) {
      positions[i] = i == 0 ? 0 : random.nextInt(MAX_POSITIONS);
    }
    int width = (heads + 2 * kvHeads) * headDim;
    float[] qkv = randomValues(ActivationType.F32, tokens * width);
    int poolElements = NUM_BLOCKS * kvHeads * BLOCK_SIZE * headDim;
    DeviceBuffer queries = device.output(type, (long) tokens * heads * headDim);
    DeviceBuffer keys = untouched(type, poolElements);
    DeviceBuffer values = untouched(type, poolElements);
    try (Arena arena = Arena.ofConfined()) {
      RotaryTable table = RotaryTable.of(config, MAX_POSITIONS, arena);
      new CudaKernels(
              device.modules(),
              KvFormat.plain(type),
              config,
              layout,
              new KvCacheSpec(BLOCK_SIZE, NUM_BLOCKS))
          .ropeAndStoreKv(
              device.stream(),
              device.upload(ActivationType.F32, qkv).address(),
              new TokenPlaces(device.upload(positions).address(), device.upload(slots).address()),
              new RotaryAddresses(
                  device.upload(table.cos()).address(), device.upload(table.sin()).address()),
              queries.address(),
              new KvPools(keys.address(), values.address(), 0),
              tokens);
      Expected expected = new Expected(type, config, layout, table);
      expected.add(qkv, positions, slots);
      // One rounding per product, one of the sum; where the sum cancels the error is relative to
      // its terms, of which the largest is bounded by the largest input.
      double absolute = 100 * (0x1p-24 + (type == ActivationType.F32 ? 0 : 0x1p-24));
      float[] turned = device.download(type, queries);
      assertClose("queries", expected.queries, turned, tolerance(type, 3), absolute);
      assertThat(turned)
          .as("queries, to the bit")
          .isEqualTo(KernelDevice.rounded(type, expected.fused));
      assertClose("keys", expected.keys, device.download(type, keys), tolerance(type, 3), absolute);
      assertThat(device.download(type, values))
          .as("values")
          .isEqualTo(KernelDevice.rounded(type, expected.values));
    }
  }

  private int[] distinctSlots(int count) {
    int[] all = new int[NUM_BLOCKS * BLOCK_SIZE];
    for (int i = 0; i < all.length; i++) {
      int j = random.nextInt(i + 1);
      all[i] = all[j];
      all[j] = i;
    }
    return Arrays.copyOf(all, count);
  }

  /// A pool of a value that no test stores.
  private DeviceBuffer untouched(ActivationType type, int count) {
    float[] values = new float[count];
    Arrays.fill(values, Expected.UNTOUCHED);
    return device.upload(type, values);
  }

  /// What the kernel should leave, pair by pair.
  private static final class Expected {
    static final float UNTOUCHED = -1000;

    private final LlamaConfig config;
    private final RotaryLayout layout;
    private final RotaryTable table;
    private final double[] keys;
    private final float[] values;
    private double[] queries;

    /// The same in the kernel's own arithmetic, which is IEEE's and the same everywhere.
    private float[] fused;

    Expected(ActivationType type, LlamaConfig config, RotaryLayout layout, RotaryTable table) {
      this.config = config;
      this.layout = layout;
      this.table = table;
      int elements = NUM_BLOCKS * config.numKeyValueHeads() * BLOCK_SIZE * config.headDim();
      float untouched = KernelDevice.rounded(type, new float[] {UNTOUCHED})[0];
      keys = new double[elements];
      values = new float[elements];
      Arrays.fill(keys, untouched);
      Arrays.fill(values, untouched);
    }

    void add(float[] input, int[] positions, int[] slots) {
      int headDim = config.headDim();
      int heads = config.numAttentionHeads();
      int kvHeads = config.numKeyValueHeads();
      queries = new double[positions.length * heads * headDim];
      fused = new float[queries.length];
      for (int token = 0; token < positions.length; token++) {
        int row = token * (heads + 2 * kvHeads) * headDim;
        for (int head = 0; head < heads; head++) {
          int place = (token * heads + head) * headDim;
          turn(input, row + head * headDim, positions[token], queries, place);
          turnFused(input, row + head * headDim, positions[token], place);
        }
        for (int head = 0; head < kvHeads && slots[token] >= 0; head++) {
          int block = slots[token] / BLOCK_SIZE;
          int place = ((block * kvHeads + head) * BLOCK_SIZE + slots[token] % BLOCK_SIZE) * headDim;
          turn(input, row + (heads + head) * headDim, positions[token], keys, place);
          int from = row + (heads + kvHeads + head) * headDim;
          System.arraycopy(input, from, values, place, headDim);
        }
      }
    }

    private void turn(float[] from, int at, int position, double[] to, int place) {
      for (int pair = 0; pair < config.headDim() / 2; pair++) {
        double cos = entry(table.cos(), position, pair);
        double sin = entry(table.sin(), position, pair);
        int first = first(pair);
        int second = second(pair);
        to[place + first] = from[at + first] * cos - from[at + second] * sin;
        to[place + second] = from[at + second] * cos + from[at + first] * sin;
      }
    }

    private void turnFused(float[] from, int at, int position, int place) {
      for (int pair = 0; pair < config.headDim() / 2; pair++) {
        float cos = entry(table.cos(), position, pair);
        float sin = entry(table.sin(), position, pair);
        float a = from[at + first(pair)];
        float b = from[at + second(pair)];
        fused[place + first(pair)] = Math.fma(a, cos, -(b * sin));
        fused[place + second(pair)] = Math.fma(b, cos, a * sin);
      }
    }

    private float entry(MemorySegment half, int position, int pair) {
      return half.getAtIndex(
          ValueLayout.JAVA_FLOAT, (long) position * (config.headDim() / 2) + pair);
    }

    private int first(int pair) {
      return layout == RotaryLayout.INTERLEAVED ? 2 * pair : pair;
    }

    private int second(int pair) {
      return layout == RotaryLayout.INTERLEAVED ? 2 * pair + 1 : pair + config.headDim() / 2;
    }
  }
}
