package io.cusco.llama.checkpoint;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.model.RotaryTable;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// Writes a GGUF v3 file: metadata first, then tensors, one in memory at a time. The file appears
/// under its name only when it is complete. Owned by one thread.
///
/// {@snippet :
/// new GgufWriter().putConfig(config).add(tensor).write(Path.of("model.gguf"));
/// }
///
/// Source: GGUF specification, "File Structure".
public final class GgufWriter {

  /// Where the bytes of a tensor come from when its turn has come.
  @FunctionalInterface
  public interface TensorSource {
    /// The tensor's bytes; `arena` is closed after they have been written.
    MemorySegment bytes(Arena arena);
  }

  private record Tensor(String name, DType dtype, long[] shape, TensorSource source) {
    long numBytes() {
      return TensorTable.numBytes("tensor to write", name, dtype, shape);
    }
  }

  private static final int VERSION = 3;

  /// The largest piece handed to the operating system at once.
  private static final long CHUNK_BYTES = 64L << 20;

  private final ByteArrayOutputStream metadata = new ByteArrayOutputStream();
  private final Set<String> keys = new LinkedHashSet<>();
  private final Set<String> tensorNames = new LinkedHashSet<>();
  private final List<Tensor> tensors = new ArrayList<>();

  /// Starts a file without metadata and tensors.
  public GgufWriter() {}

  public GgufWriter put(String key, String value) {
    putKey(key, GgufMetadata.ValueType.STRING);
    putString(metadata, value);
    return this;
  }

  /// Stored as UINT32, or as INT32 if negative.
  public GgufWriter put(String key, int value) {
    putKey(key, value < 0 ? GgufMetadata.ValueType.INT32 : GgufMetadata.ValueType.UINT32);
    putInt(metadata, value);
    return this;
  }

  public GgufWriter put(String key, float value) {
    putKey(key, GgufMetadata.ValueType.FLOAT32);
    putInt(metadata, Float.floatToRawIntBits(value));
    return this;
  }

  public GgufWriter put(String key, boolean value) {
    putKey(key, GgufMetadata.ValueType.BOOL);
    metadata.write(value ? 1 : 0);
    return this;
  }

  public GgufWriter put(String key, List<String> values) {
    putArray(key, GgufMetadata.ValueType.STRING, values.size());
    values.forEach(value -> putString(metadata, value));
    return this;
  }

  /// Stored as an array of INT32.
  public GgufWriter put(String key, int[] values) {
    putArray(key, GgufMetadata.ValueType.INT32, values.length);
    for (int value : values) {
      putInt(metadata, value);
    }
    return this;
  }

  /// Stored as an array of FLOAT32.
  public GgufWriter put(String key, float[] values) {
    putArray(key, GgufMetadata.ValueType.FLOAT32, values.length);
    for (float value : values) {
      putInt(metadata, Float.floatToRawIntBits(value));
    }
    return this;
  }

  /// Everything a reader needs to know of `config`: the `llama.*` keys, and `rope_freqs.weight`
  /// where the scaling is not linear. Tied embeddings are written by adding no `output.weight`.
  ///
  /// @throws IllegalArgumentException if the model has another head than a vocabulary: GGUF's Llama
  ///   has no name for it
  public GgufWriter putConfig(LlamaConfig config) {
    if (!config.generates()) {
      throw new IllegalArgumentException(
          "a GGUF Llama ends in a vocabulary head, this model has " + config.head());
    }
    put("general.architecture", "llama");
    put("llama.embedding_length", config.hiddenSize());
    put("llama.feed_forward_length", config.intermediateSize());
    put("llama.block_count", config.numLayers());
    put("llama.attention.head_count", config.numAttentionHeads());
    put("llama.attention.head_count_kv", config.numKeyValueHeads());
    put("llama.attention.key_length", config.headDim());
    put("llama.attention.value_length", config.headDim());
    put("llama.rope.dimension_count", config.headDim());
    put("llama.vocab_size", config.vocabSize());
    put("llama.context_length", config.maxPositionEmbeddings());
    put("llama.attention.layer_norm_rms_epsilon", config.rmsNormEps());
    put("llama.rope.freq_base", (float) config.ropeTheta());
    return switch (config.ropeScaling()) {
      case RopeScaling.None() -> this;
      case RopeScaling.Linear(double factor) ->
          put("llama.rope.scaling.type", "linear").put("llama.rope.scaling.factor", (float) factor);
      case RopeScaling.Llama3 _, RopeScaling.FrequencyFactors _ ->
          addFloats("rope_freqs.weight", RotaryTable.frequencyFactors(config));
    };
  }

  /// Adds a tensor whose bytes stay valid until [#write].
  public GgufWriter add(TensorView tensor) {
    return add(tensor.name(), tensor.dtype(), tensor.shape(), arena -> tensor.segment());
  }

  /// Adds a tensor whose bytes are made when they are written.
  ///
  /// @param shape outermost dimension first
  /// @throws IllegalArgumentException if the name is taken
  public GgufWriter add(String name, DType dtype, long[] shape, TensorSource source) {
    if (!tensorNames.add(name)) {
      throw new IllegalArgumentException("tensor %s was added before".formatted(name));
    }
    tensors.add(new Tensor(name, dtype, shape.clone(), source));
    return this;
  }

  private GgufWriter addFloats(String name, float[] values) {
    return add(
        name,
        DType.F32,
        new long[] {values.length},
        arena -> {
          MemorySegment bytes = arena.allocate(DType.F32.numBytes(values.length));
          BlockQuantizer.quantize(DType.F32, values, 0, values.length, bytes, 0);
          return bytes;
        });
  }

  /// Writes the file beside its final place and then renames it, replacing an earlier one.
  ///
  /// @throws IOException if it cannot be written; nothing is left behind
  public void write(Path file) throws IOException {
    Path absolute = file.toAbsolutePath();
    if (Files.exists(absolute) && !Files.isRegularFile(absolute)) {
      // Renaming would put the file in the place of a device such as /dev/null.
      throw new FileSystemException(file.toString(), null, "not a regular file");
    }
    // Not createTempFile: its files are readable by their owner alone, and the name would keep
    // that.
    Path temporary =
        absolute.resolveSibling(
            ".%s.%d.writing".formatted(absolute.getFileName(), ProcessHandle.current().pid()));
    try {
      try (FileChannel channel = FileChannel.open(temporary, CREATE, TRUNCATE_EXISTING, WRITE)) {
        writeTo(channel);
      }
      Files.move(temporary, absolute, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  private void writeTo(FileChannel channel) throws IOException {
    writeFully(channel, ByteBuffer.wrap(header()));
    for (Tensor tensor : tensors) {
      pad(channel);
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment bytes = tensor.source.bytes(arena);
        if (bytes.byteSize() != tensor.numBytes()) {
          throw new IllegalArgumentException(
              "tensor %s: %s %s takes %d bytes, its source gave %d"
                  .formatted(
                      tensor.name,
                      tensor.dtype,
                      Arrays.toString(tensor.shape),
                      tensor.numBytes(),
                      bytes.byteSize()));
        }
        for (long at = 0; at < bytes.byteSize(); at += CHUNK_BYTES) {
          long length = Math.min(CHUNK_BYTES, bytes.byteSize() - at);
          writeFully(channel, bytes.asSlice(at, length).asByteBuffer());
        }
      }
    }
    pad(channel);
  }

  private byte[] header() {
    ByteArrayOutputStream header = new ByteArrayOutputStream();
    putInt(header, GgufFile.MAGIC);
    putInt(header, VERSION);
    putLong(header, tensors.size());
    putLong(header, keys.size());
    header.writeBytes(metadata.toByteArray());
    long offset = 0;
    for (Tensor tensor : tensors) {
      putString(header, tensor.name);
      putInt(header, tensor.shape.length);
      for (int i = tensor.shape.length - 1; i >= 0; i--) {
        putLong(header, tensor.shape[i]);
      }
      putInt(header, tensor.dtype.ggmlId());
      putLong(header, offset);
      offset += aligned(tensor.numBytes());
    }
    return header.toByteArray();
  }

  private static long aligned(long position) {
    return Math.ceilDiv(position, GgufFile.DEFAULT_ALIGNMENT) * GgufFile.DEFAULT_ALIGNMENT;
  }

  private static void pad(FileChannel channel) throws IOException {
    int missing = (int) (aligned(channel.position()) - channel.position());
    writeFully(channel, ByteBuffer.allocate(missing));
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  private void putArray(String key, GgufMetadata.ValueType elementType, int count) {
    putKey(key, GgufMetadata.ValueType.ARRAY);
    putInt(metadata, elementType.id());
    putLong(metadata, count);
  }

  private void putKey(String key, GgufMetadata.ValueType type) {
    if (!keys.add(key)) {
      throw new IllegalArgumentException("metadata key %s was put before".formatted(key));
    }
    putString(metadata, key);
    putInt(metadata, type.id());
  }

  private static void putString(ByteArrayOutputStream out, String value) {
    byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
    putLong(out, bytes.length);
    out.writeBytes(bytes);
  }

  private static void putInt(ByteArrayOutputStream out, int value) {
    out.writeBytes(
        ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
  }

  private static void putLong(ByteArrayOutputStream out, long value) {
    out.writeBytes(
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
  }
}
