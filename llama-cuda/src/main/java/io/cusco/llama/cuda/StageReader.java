package io.cusco.llama.cuda;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.model.Stage;
import io.cusco.llama.model.StageProbe;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// Shows a [StageProbe] the stages of a step: waits for each and copies it to the host. Without a
/// probe it does nothing.
final class StageReader {
  private final CudaStream stream;
  private final ActivationType type;
  private final StageProbe probe;

  StageReader(CudaStream stream, ActivationType type, Optional<StageProbe> probe) {
    this.stream = stream;
    this.type = type;
    this.probe = probe.orElse(null);
  }

  boolean isOn() {
    return probe != null;
  }

  /// Rows of float32.
  void residual(Stage stage, int layer, DeviceBuffer values, int rows, int width) {
    if (probe != null && rows > 0) {
      probe.observe(stage, layer, read(ActivationType.F32, values, rows * width), rows, width);
    }
  }

  /// Rows of the activation type.
  void rows(Stage stage, int layer, DeviceBuffer values, int rows, int width) {
    if (probe != null && rows > 0) {
      probe.observe(stage, layer, read(type, values, rows * width), rows, width);
    }
  }

  /// Turned queries, whose type follows from the cache's.
  void queries(int layer, DeviceBuffer queries, ActivationType stored, int rows, int width) {
    if (probe != null && rows > 0) {
      probe.observe(Stage.ROPE_Q, layer, read(stored, queries, rows * width), rows, width);
    }
  }

  /// The three parts of the fused projection, float32.
  void qkv(int layer, DeviceBuffer qkv, int rows, LlamaConfig config) {
    if (probe == null) {
      return;
    }
    int queries = config.queryWidth();
    int keys = config.keyValueWidth();
    int width = queries + 2 * keys;
    float[] values = read(ActivationType.F32, qkv, rows * width);
    probe.observe(Stage.Q_PROJ, layer, columns(values, rows, width, 0, queries), rows, queries);
    probe.observe(Stage.K_PROJ, layer, columns(values, rows, width, queries, keys), rows, keys);
    probe.observe(
        Stage.V_PROJ, layer, columns(values, rows, width, queries + keys, keys), rows, keys);
  }

  private static float[] columns(float[] values, int rows, int width, int first, int count) {
    float[] part = new float[rows * count];
    for (int row = 0; row < rows; row++) {
      System.arraycopy(values, row * width + first, part, row * count, count);
    }
    return part;
  }

  private float[] read(ActivationType stored, DeviceBuffer values, int count) {
    stream.synchronize();
    float[] floats = new float[count];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment copy = arena.allocate((long) count * stored.numBytes(), Float.BYTES);
      values.copyTo(copy, 0);
      for (int i = 0; i < count; i++) {
        floats[i] = stored.get(copy, i);
      }
    }
    return floats;
  }
}
