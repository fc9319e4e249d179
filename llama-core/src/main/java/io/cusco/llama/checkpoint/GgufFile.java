package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;

/// The header of one GGUF file, version 2 or 3: its metadata and its tensors.
///
/// ```
/// "GGUF" | version u32 | tensor count u64 | metadata count u64
/// metadata: key string, value type u32, value                        (count times)
/// tensors:  name string, dimensions u32, sizes u64 (innermost first), ggml type u32, offset u64
/// padding to general.alignment | tensor bytes, each at its offset from here
/// ```
///
/// Source: GGUF specification, "File Structure".
///
/// @param version 2 or 3
record GgufFile(String file, int version, GgufMetadata metadata) {
  static final int MAGIC = 0x46554747; // "GGUF" as a little-endian word
  static final int DEFAULT_ALIGNMENT = 32; // GGUF specification, general.alignment

  private static final int MAX_DIMENSIONS = 4; // ggml's GGML_MAX_DIMS
  private static final int MIN_METADATA_BYTES = 8 + 4 + 1; // empty key, type, one-byte value
  private static final int MIN_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8; // empty name, one dimension

  /// Reads the header at the start of `bytes` and adds the file's tensors to `tensors`.
  ///
  /// @throws CheckpointException if this is no GGUF or it is damaged
  static GgufFile read(String file, MemorySegment bytes, TensorTable tensors) {
    ByteCursor cursor = new ByteCursor(file, bytes, 0);
    int magic = cursor.int32("the magic number");
    if (magic != MAGIC) {
      throw new CheckpointException(
          "%s: magic number is 0x%08x, not GGUF".formatted(file, Integer.reverseBytes(magic)));
    }
    int version = readVersion(file, cursor);
    long tensorCount = cursor.int64("the tensor count");
    long metadataCount = cursor.int64("the metadata count");
    checkCount(file, "tensor count", tensorCount, MIN_TENSOR_BYTES, cursor);
    checkCount(file, "metadata count", metadataCount, MIN_METADATA_BYTES, cursor);
    GgufMetadata metadata = new GgufMetadata(file, bytes, cursor, metadataCount);
    int alignment = alignment(file, metadata);

    Entry[] entries = new Entry[(int) tensorCount];
    for (int i = 0; i < entries.length; i++) {
      entries[i] = readEntry(file, cursor, i);
    }
    // May lie past the end: a file without tensors need not be padded.
    long dataStart = Math.ceilDiv(cursor.position(), alignment) * alignment;
    for (Entry entry : entries) {
      if (entry.offset % alignment != 0) {
        throw new CheckpointException(
            "%s: tensor %s: offset %s is not a multiple of the alignment %d"
                .formatted(file, entry.name, Long.toUnsignedString(entry.offset), alignment));
      }
      if (entry.offset < 0 || entry.offset > bytes.byteSize()) {
        throw new CheckpointException(
            "%s: truncated: tensor %s: offset %s is beyond the end of the file at %d"
                .formatted(
                    file, entry.name, Long.toUnsignedString(entry.offset), bytes.byteSize()));
      }
      tensors.add(file, entry.name, entry.dtype, entry.shape, bytes, dataStart + entry.offset);
    }
    requireApart(file, entries);
    return new GgufFile(file, version, metadata);
  }

  /// ggml wants tensors one after another. Gaps do no harm; of two that share bytes, one is wrong.
  private static void requireApart(String file, Entry[] entries) {
    Entry[] inOrder = entries.clone();
    Arrays.sort(inOrder, Comparator.comparingLong(Entry::offset));
    for (int i = 1; i < inOrder.length; i++) {
      Entry before = inOrder[i - 1];
      Entry entry = inOrder[i];
      long numBytes = TensorTable.numBytes(file, before.name, before.dtype, before.shape);
      if (before.offset + numBytes > entry.offset) {
        throw new CheckpointException(
            "%s: tensor %s has %d bytes at offset %d, but tensor %s begins at %d; the file is damaged"
                .formatted(file, before.name, numBytes, before.offset, entry.name, entry.offset));
      }
    }
  }

  private record Entry(String name, DType dtype, long[] shape, long offset) {}

  private static int readVersion(String file, ByteCursor cursor) {
    int version = cursor.int32("the version");
    if (version == 2 || version == 3) {
      return version;
    }
    throw new CheckpointException(
        "%s: GGUF version %s is not supported, 2 and 3 are%s"
            .formatted(
                file,
                Integer.toUnsignedString(version),
                Integer.reverseBytes(version) <= 3 && Integer.reverseBytes(version) > 0
                    ? "; the file is big-endian, convert it to little-endian"
                    : "; convert the model again with a current converter"));
  }

  private static void checkCount(
      String file, String what, long count, int leastBytes, ByteCursor cursor) {
    if (count < 0 || count > Integer.MAX_VALUE || count > cursor.remaining() / leastBytes) {
      throw new CheckpointException(
          "%s: truncated: %s %s, but only %d bytes follow"
              .formatted(file, what, Long.toUnsignedString(count), cursor.remaining()));
    }
  }

  private static int alignment(String file, GgufMetadata metadata) {
    int alignment = metadata.findInt("general.alignment").orElse(DEFAULT_ALIGNMENT);
    if (Integer.bitCount(alignment) != 1 || alignment < 0) {
      throw new CheckpointException(
          "%s: general.alignment must be a power of two, got %d".formatted(file, alignment));
    }
    return alignment;
  }

  private static Entry readEntry(String file, ByteCursor cursor, int index) {
    String name = cursor.string("the name of tensor " + index);
    String what = "tensor " + name;
    long numDimensions = cursor.unsignedInt(what);
    if (numDimensions < 1 || numDimensions > MAX_DIMENSIONS) {
      throw new CheckpointException(
          "%s: %s has %d dimensions; 1 to %d are possible"
              .formatted(file, what, numDimensions, MAX_DIMENSIONS));
    }
    long[] shape = new long[(int) numDimensions];
    for (int i = shape.length - 1; i >= 0; i--) {
      shape[i] = cursor.int64(what);
    }
    long typeId = cursor.unsignedInt(what);
    DType dtype =
        DType.ofGgmlId(typeId)
            .orElseThrow(() ->
                new CheckpointException(
                    "%s: %s: ggml type %d is not supported; requantise the model to one of %s"
                        .formatted(file, what, typeId, Arrays.toString(DType.values()))));
    return new Entry(name, dtype, shape, cursor.int64(what));
  }
}
