package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/// Reads the header of one `.safetensors` file.
///
/// ```
/// header length u64 | JSON: name -> {dtype, shape, data_offsets [begin, end)} | tensor bytes
/// ```
///
/// The bytes must be covered without gap or overlap. Source: safetensors README, "Format".
final class SafetensorsFile {
  private static final long MAX_HEADER_BYTES = 100_000_000; // safetensors: MAX_HEADER_SIZE
  private static final String METADATA = "__metadata__";

  private SafetensorsFile() {}

  private record Entry(String name, DType dtype, long[] shape, long begin, long end) {}

  /// Adds the tensors of `bytes` to `tensors`.
  ///
  /// @throws CheckpointException if the file is damaged or holds a type that is not supported
  static void read(String file, MemorySegment bytes, TensorTable tensors) {
    if (bytes.byteSize() == 0) {
      throw new CheckpointException(file + ": the file is empty; fetch it again");
    }
    ByteCursor cursor = new ByteCursor(file, bytes, 0);
    long headerLength = cursor.int64("the header length");
    if (headerLength < 0 || headerLength > MAX_HEADER_BYTES || headerLength > cursor.remaining()) {
      throw new CheckpointException(
          "%s: truncated or no safetensors: header length %s, but %d bytes follow (at most %d)"
              .formatted(
                  file, Long.toUnsignedString(headerLength), cursor.remaining(), MAX_HEADER_BYTES));
    }
    JsonObject header = JsonObject.parse(file, cursor.bytes((int) headerLength, "the header"));
    List<Entry> entries = new ArrayList<>();
    for (String name : header.keys()) {
      if (!name.equals(METADATA)) {
        entries.add(readEntry(file, name, header.requireObject(name)));
      }
    }
    MemorySegment data = bytes.asSlice(cursor.position());
    checkCover(file, entries, data.byteSize());
    for (Entry entry : entries) {
      tensors.add(file, entry.name, entry.dtype, entry.shape, data, entry.begin);
    }
  }

  private static Entry readEntry(String file, String name, JsonObject facts) {
    String dtypeName = facts.requireString("dtype");
    DType dtype =
        dtype(dtypeName)
            .orElseThrow(() ->
                new CheckpointException(
                    "%s: tensor %s: dtype %s is not supported; F32, F16 and BF16 are"
                        .formatted(file, name, dtypeName)));
    long[] shape = facts.requireLongs("shape");
    long[] offsets = facts.requireLongs("data_offsets");
    if (offsets.length != 2 || offsets[0] < 0 || offsets[1] < offsets[0]) {
      throw new CheckpointException(
          "%s: tensor %s: data_offsets %s are not [begin, end)"
              .formatted(file, name, Arrays.toString(offsets)));
    }
    long numBytes = TensorTable.numBytes(file, name, dtype, shape);
    if (offsets[1] - offsets[0] != numBytes) {
      throw new CheckpointException(
          "%s: tensor %s: %s %s takes %d bytes, data_offsets %s span %d"
              .formatted(
                  file,
                  name,
                  dtype,
                  Arrays.toString(shape),
                  numBytes,
                  Arrays.toString(offsets),
                  offsets[1] - offsets[0]));
    }
    return new Entry(name, dtype, shape, offsets[0], offsets[1]);
  }

  private static Optional<DType> dtype(String name) {
    return switch (name) {
      case "F32" -> Optional.of(DType.F32);
      case "F16" -> Optional.of(DType.F16);
      case "BF16" -> Optional.of(DType.BF16);
      default -> Optional.empty();
    };
  }

  private static void checkCover(String file, List<Entry> entries, long numBytes) {
    List<Entry> inOrder = new ArrayList<>(entries);
    inOrder.sort(Comparator.comparingLong(Entry::begin));
    long end = 0;
    for (Entry entry : inOrder) {
      if (entry.begin != end) {
        throw new CheckpointException(
            "%s: tensor %s: data_offsets begin at %d, %s the tensor before it, which ends at %d"
                .formatted(
                    file,
                    entry.name,
                    entry.begin,
                    entry.begin < end ? "overlapping" : "leaving a gap after",
                    end));
      }
      end = entry.end;
    }
    if (end != numBytes) {
      throw new CheckpointException(
          end > numBytes
              ? "%s: truncated: data_offsets reach %d, beyond the %d bytes after the header"
                  .formatted(file, end, numBytes)
              : "%s: data_offsets reach %d, but %d bytes follow the header"
                  .formatted(file, end, numBytes));
    }
  }
}
