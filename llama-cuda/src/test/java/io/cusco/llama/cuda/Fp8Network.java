package io.cusco.llama.cuda;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.TensorView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;

/// What FP8 makes of a network's weights and of the rows that meet them, for the reference network.
final class Fp8Network {
  private Fp8Network() {}

  /// The network whose layers' matrices are what their e4m3 stand for.
  static LlamaWeights rounded(LlamaWeights weights, Arena arena) {
    List<LlamaWeights.Layer> layers =
        weights.layers().stream()
            .map(layer ->
                new LlamaWeights.Layer(
                    layer.inputNorm(),
                    rounded(layer.qProj(), arena),
                    rounded(layer.kProj(), arena),
                    rounded(layer.vProj(), arena),
                    rounded(layer.oProj(), arena),
                    layer.postAttentionNorm(),
                    rounded(layer.gateProj(), arena),
                    rounded(layer.upProj(), arena),
                    rounded(layer.downProj(), arena)))
            .toList();
    return new LlamaWeights(
        rounded16(weights.embedTokens(), arena),
        layers,
        weights.norm(),
        weights.head(),
        weights.rotaryLayout());
  }

  /// Embeddings are bfloat16.
  private static TensorView rounded16(TensorView tensor, Arena arena) {
    MemorySegment values = arena.allocate(tensor.numElements() * Short.BYTES, 16);
    for (int row = 0; row < tensor.rows(); row++) {
      float[] exact = new float[tensor.columns()];
      BlockFormats.dequantizeRow(tensor, row, exact);
      byte[] bytes = KernelDevice.encode(ActivationType.BF16, exact);
      MemorySegment.copy(
          MemorySegment.ofArray(bytes), 0, values, (long) row * bytes.length, bytes.length);
    }
    return new TensorView(tensor.name(), DType.BF16, tensor.shape(), values);
  }

  private static LlamaWeights.Linear rounded(LlamaWeights.Linear linear, Arena arena) {
    TensorView tensor = linear.weight();
    if (tensor.columns() % Fp8Kernels.MULTIPLE != 0) {
      return linear;
    }
    MemorySegment values = arena.allocate(tensor.numElements() * Float.BYTES, 16);
    for (int row = 0; row < tensor.rows(); row++) {
      float[] exact = new float[tensor.columns()];
      BlockFormats.dequantizeRow(tensor, row, exact);
      Fp8Row codes = Fp8Row.of(KernelDevice.rounded(ActivationType.BF16, exact));
      for (int i = 0; i < exact.length; i++) {
        values.setAtIndex(
            ValueLayout.JAVA_FLOAT, (long) row * exact.length + i, (float) codes.value(i));
      }
    }
    return new LlamaWeights.Linear(
        new TensorView(tensor.name(), DType.F32, tensor.shape(), values), linear.bias());
  }

  static double[] rounded(double[] row) {
    float[] floats = new float[row.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) row[i];
    }
    Fp8Row codes = Fp8Row.of(KernelDevice.rounded(ActivationType.BF16, floats));
    double[] values = new double[row.length];
    Arrays.setAll(values, codes::value);
    return values;
  }
}
