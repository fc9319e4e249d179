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
import java.util.stream.Stream;

/// The checkpoint's tensors as the CPU uses them: matrices in place, norms and biases (a few
/// kilobytes) widened to float32.
final class CpuWeights {

  /// A matrix and its bias, which is null where the checkpoint has none.
  record Linear(WeightMatrix weight, float[] bias) {}

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
  final WeightMatrix head;

  final LlamaWeights.RotaryLayout rotaryLayout;
  private final Arena arena;

  CpuWeights(LlamaWeights weights, Arena arena) {
    this.arena = arena;
    embedTokens = Matrix.of(weights.embedTokens());
    layers = weights.layers().stream().map(this::layer).toList();
    norm = widened(weights.norm());
    head = weights.head().map(CpuWeights::stored).orElse(null);
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
    return new Linear(stored(linear.weight()), bias.map(CpuWeights::floats).orElse(null));
  }

  private static WeightMatrix stored(TensorView tensor) {
    return new WeightMatrix(Matrix.of(tensor));
  }

  /// The matrices of all products, in the order of a forward pass.
  Stream<WeightMatrix> matrices() {
    Stream<WeightMatrix> ofLayers =
        layers.stream()
            .flatMap(l ->
                Stream.of(
                    l.qProj(),
                    l.kProj(),
                    l.vProj(),
                    l.oProj(),
                    l.gateProj(),
                    l.upProj(),
                    l.downProj()))
            .map(Linear::weight);
    return Stream.concat(ofLayers, Stream.ofNullable(head));
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
