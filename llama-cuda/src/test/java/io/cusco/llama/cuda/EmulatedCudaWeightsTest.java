package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.BlockQuantizer;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.cuda.CudaWeights.Linear;
import io.cusco.llama.cuda.driver.Cublas;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import io.cusco.llama.testkit.RandomModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// How a quantised checkpoint with several formats in one projection lies on the device.
@EmulatedGpu
class EmulatedCudaWeightsTest {
  private static final long SEED = 20261121;
  private static final ActivationType TYPE = ActivationType.F32;
  private static final int ROWS = 30;

  private final Arena arena = Arena.ofShared();
  private KernelDevice device;

  @BeforeEach
  void open(CudaContext context) {
    device = new KernelDevice(context);
  }

  @AfterEach
  void close() {
    device.close();
    arena.close();
  }

  @Test
  void partsOfSeveralFormatsAreOneProjectionWidenedOrNot() {
    for (boolean tied : new boolean[] {true, false}) {
      try (RandomModel random = new RandomModel(config(tied), RotaryLayout.ROTATE_HALF, SEED)) {
        LlamaWeights weights = quantised(random.weights());
        for (boolean keepsWidened : new boolean[] {true, false}) {
          check(weights, keepsWidened);
          device.free();
        }
      }
    }
  }

  @Test
  void widenedCopiesTakeAtMostHalfOfWhatBlocksLeave() {
    try (RandomModel random = new RandomModel(config(false), RotaryLayout.ROTATE_HALF, SEED)) {
      LlamaWeights weights = quantised(random.weights());
      long widened = matrices(weights).stream().mapToLong(tensor -> 4 * tensor.numElements()).sum();
      long enough = CudaWeights.fileBytes(weights) + 2 * widened;
      assertThat(CudaWeights.hasRoomToWiden(weights, TYPE, enough)).isTrue();
      assertThat(CudaWeights.hasRoomToWiden(weights, TYPE, enough - 2)).isFalse();
      assertThat(CudaWeights.hasRoomToWiden(random.weights(), TYPE, enough)).isTrue();
    }
  }

  private static LlamaConfig config(boolean tied) {
    return new LlamaConfig(
        256, 512, 1, 4, 2, 64, 131, 256, 1e-5f, 1e4, new RopeScaling.None(), tied);
  }

  private void check(LlamaWeights weights, boolean keepsWidened) {
    List<long[]> progress = new ArrayList<>();
    CudaWeights loaded;
    try (WeightUploader uploader =
        new WeightUploader(
            device.context(),
            device.stream(),
            TYPE,
            new DequantizeKernels(device.modules(), TYPE),
            Optional.empty(),
            weights,
            (done, total) -> progress.add(new long[] {done, total}))) {
      loaded = new CudaWeights(device.context(), weights, TYPE, uploader, keepsWidened, false);
    }
    long fileBytes = CudaWeights.fileBytes(weights);
    assertThat(progress).isNotEmpty().allMatch(step -> step[1] == fileBytes);
    assertThat(progress.getLast()[0]).isEqualTo(fileBytes);
    try (DeviceBuffer workspace = DeviceBuffer.allocate(device.context(), "workspace", 1 << 20);
        Cublas cublas = Cublas.create(device.stream(), workspace);
        Products products =
            new Products(
                device.context(),
                device.stream(),
                cublas,
                device.modules(),
                TYPE,
                loaded.linears(),
                32 << 10,
                Optional.empty(),
                Optional.empty())) {
      LlamaWeights.Layer layer = weights.layers().getFirst();
      CudaWeights.Layer l = loaded.layers().getFirst();
      check(products, l.qkv(), 2, layer.qProj(), layer.kProj(), layer.vProj());
      check(products, l.oProj(), 1, layer.oProj());
      check(products, l.gateUp(), 1, layer.gateProj(), layer.upProj());
      check(products, l.down(), 0, layer.downProj());
      Linear head = loaded.head().orElseThrow();
      checkProduct(products, head, List.of(weights.head().orElseThrow()));
      assertThat(head.dense().isPresent()).isEqualTo(keepsWidened || weights.isTied());
      assertThat(l.qkv().dense().isPresent()).isEqualTo(keepsWidened);
      assertThat(l.down().dense()).isPresent();
    }
    loaded.close();
  }

  private void check(
      Products products, Linear linear, int numBlocks, LlamaWeights.Linear... parts) {
    assertThat(linear.blocks()).hasSize(numBlocks);
    List<TensorView> tensors = new ArrayList<>();
    for (LlamaWeights.Linear part : parts) {
      tensors.add(part.weight());
    }
    checkProduct(products, linear, tensors);
  }

  private void checkProduct(Products products, Linear linear, List<TensorView> parts) {
    int inputs = linear.inFeatures();
    float[] x = new float[ROWS * inputs];
    Random random = new Random(SEED);
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    DeviceBuffer out = device.output(TYPE, (long) ROWS * linear.outFeatures());
    products.projectToFloat(linear, device.upload(TYPE, x).address(), out.address(), ROWS);
    float[] actual = device.download(TYPE, out);
    float[] weights = new float[inputs];
    int column = 0;
    for (TensorView part : parts) {
      for (int row = 0; row < part.rows(); row++, column++) {
        BlockFormats.dequantizeRow(part, row, weights);
        for (int i = 0; i < ROWS; i++) {
          double sum = 0;
          for (int j = 0; j < inputs; j++) {
            sum += (double) x[i * inputs + j] * weights[j];
          }
          assertThat((double) actual[i * linear.outFeatures() + column])
              .as("%s, row %d", part.name(), row)
              .isCloseTo(sum, offset(1e-4));
        }
      }
    }
    assertThat(column).isEqualTo(linear.outFeatures());
  }

  private LlamaWeights quantised(LlamaWeights weights) {
    LlamaWeights.Layer layer = weights.layers().getFirst();
    TensorView embedTokens = quantised(weights.embedTokens(), DType.Q8_0);
    return new LlamaWeights(
        embedTokens,
        List.of(
            new LlamaWeights.Layer(
                layer.inputNorm(),
                quantised(layer.qProj(), DType.Q4_0),
                quantised(layer.kProj(), DType.Q4_0),
                quantised(layer.vProj(), DType.Q8_0),
                quantised(layer.oProj(), DType.Q8_0),
                layer.postAttentionNorm(),
                quantised(layer.gateProj(), DType.Q4_0),
                quantised(layer.upProj(), DType.Q4_0),
                quantised(layer.downProj(), DType.F16))),
        weights.norm(),
        weights.isTied()
            ? Optional.of(embedTokens)
            : weights.head().map(head -> quantised(head, DType.Q4_0)),
        weights.rotaryLayout());
  }

  private LlamaWeights.Linear quantised(LlamaWeights.Linear linear, DType format) {
    return new LlamaWeights.Linear(quantised(linear.weight(), format), linear.bias());
  }

  private TensorView quantised(TensorView tensor, DType format) {
    int count = Math.toIntExact(tensor.numElements());
    float[] values = new float[count];
    BlockFormats.dequantize(tensor.dtype(), tensor.segment(), 0, values, 0, count);
    MemorySegment blocks = arena.allocate(format.numBytes(count), 16);
    BlockQuantizer.quantize(format, values, 0, count, blocks, 0);
    return new TensorView(tensor.name(), format, tensor.shape(), blocks);
  }

  private static List<TensorView> matrices(LlamaWeights weights) {
    List<TensorView> matrices = new ArrayList<>(List.of(weights.embedTokens()));
    weights.head().ifPresent(matrices::add);
    weights.layers().forEach(layer -> ActivationType.matrices(layer).forEach(matrices::add));
    matrices.removeIf(tensor -> !DequantizeKernels.FORMATS.contains(tensor.dtype()));
    return matrices;
  }
}
