package io.cusco.llama.cpu;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/// The checkpoint's tensors as the CPU uses them: matrices in place, norms and biases (a few
/// kilobytes) widened to float32.
final class CpuWeights {

  /// A matrix and its bias, which is null where the checkpoint has none.
  record Linear(Matrix weight, float[] bias) {}

  record Layer(
      MemorySegment inputNorm,
      Linear qProj,
      Linear kProj,
      Linear vProj,
      Linear oProj,
      MemorySegment postAttentionNorm,
      Linear gateProj,
      Linear upProj,
      Linear downProj) {}

  final Matrix embedTokens;
  final List<Layer> layers;
  final MemorySegment norm;

  /// Null where the network has no head.
  final Matrix head;

  final LlamaWeights.RotaryLayout rotaryLayout;
  private final Arena arena;

  CpuWeights(LlamaWeights weights, Arena arena) {
    this.arena = arena;
    embedTokens = Matrix.of(weights.embedTokens());
    layers = weights.layers().stream().map(this::layer).toList();
    norm = widened(weights.norm());
    head = weights.head().map(Matrix::of).orElse(null);
    rotaryLayout = weights.rotaryLayout();
  }

  private Layer layer(LlamaWeights.Layer layer) {
    return new Layer(
        widened(layer.inputNorm()),
        linear(layer.qProj()),
        linear(layer.kProj()),
        linear(layer.vProj()),
        linear(layer.oProj()),
        widened(layer.postAttentionNorm()),
        linear(layer.gateProj()),
        linear(layer.upProj()),
        linear(layer.downProj()));
  }

  private Linear linear(LlamaWeights.Linear linear) {
    Optional<TensorView> bias = linear.bias();
    return new Linear(Matrix.of(linear.weight()), bias.map(CpuWeights::floats).orElse(null));
  }

  private MemorySegment widened(TensorView vector) {
    float[] values = floats(vector);
    MemorySegment wide = NativeMemory.allocateZeroed((long) values.length * Float.BYTES, arena);
    wide.copyFrom(MemorySegment.ofArray(values));
    return wide;
  }

  private static float[] floats(TensorView vector) {
    int size = Math.toIntExact(vector.numElements());
    float[] values = new float[size];
    BlockFormats.dequantize(vector.dtype(), vector.segment(), 0, values, 0, size);
    return values;
  }
}
