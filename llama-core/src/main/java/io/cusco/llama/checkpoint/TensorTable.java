package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The tensors of a checkpoint by name, each with the file it came from, in file order.
final class TensorTable {
  private record Stored(TensorView view, String file) {}

  private final Map<String, Stored> byName = new LinkedHashMap<>();

  /// Adds the tensor whose bytes start at `offset` of `bytes`.
  ///
  /// @throws CheckpointException if the shape is not one, the bytes pass the end of the file, or
  ///   the name is taken
  void add(String file, String name, DType dtype, long[] shape, MemorySegment bytes, long offset) {
    long numBytes = numBytes(file, name, dtype, shape);
    if (offset < 0 || offset > bytes.byteSize() || numBytes > bytes.byteSize() - offset) {
      throw new CheckpointException(
          "%s: truncated: tensor %s needs %d bytes at offset %d, beyond the end of the file at %d;"
                  .formatted(file, name, numBytes, offset, bytes.byteSize())
              + " fetch it again");
    }
    add(file, new TensorView(name, dtype, shape, bytes.asSlice(offset, numBytes)));
  }

  void add(String file, TensorView view) {
    Stored earlier = byName.put(view.name(), new Stored(view, file));
    if (earlier != null) {
      throw new CheckpointException(
          "%s: duplicate tensor %s (the first is in %s)"
              .formatted(file, view.name(), earlier.file));
    }
  }

  Optional<TensorView> find(String name) {
    return Optional.ofNullable(byName.get(name)).map(Stored::view);
  }

  /// The tensor `name`, of any shape.
  ///
  /// @throws CheckpointException if it is missing from `source`
  TensorView require(String source, String name) {
    return requireStored(source, name).view;
  }

  /// The tensor `name`, whose shape must be `expected`.
  ///
  /// @throws CheckpointException if it is missing from `source` or has another shape
  TensorView require(String source, String name, long... expected) {
    Stored stored = requireStored(source, name);
    if (!Arrays.equals(stored.view.shape(), expected)) {
      throw new CheckpointException(
          "tensor %s: expected %s from config, file has %s (%s)"
              .formatted(
                  name,
                  Arrays.toString(expected),
                  Arrays.toString(stored.view.shape()),
                  stored.file));
    }
    return stored.view;
  }

  private Stored requireStored(String source, String name) {
    Stored stored = byName.get(name);
    if (stored == null) {
      throw new CheckpointException(
          "%s: tensor %s is missing; the file is incomplete or not a Llama"
              .formatted(source, name));
    }
    return stored;
  }

  List<TensorView> views() {
    return byName.values().stream().map(Stored::view).toList();
  }

  /// Bytes of a tensor, refusing shapes that no memory holds.
  static long numBytes(String file, String name, DType dtype, long[] shape) {
    try {
      long numElements = 1;
      for (long dimension : shape) {
        if (dimension <= 0) {
          throw new CheckpointException(
              "%s: tensor %s: dimensions must be positive, shape is %s"
                  .formatted(file, name, Arrays.toString(shape)));
        }
        numElements = Math.multiplyExact(numElements, dimension);
      }
      if (shape.length > 0 && shape[shape.length - 1] % dtype.blockSize() != 0) {
        throw new CheckpointException(
            "%s: tensor %s: row length %d is not a multiple of %s's block of %d"
                .formatted(file, name, shape[shape.length - 1], dtype, dtype.blockSize()));
      }
      return dtype.numBytes(numElements);
    } catch (ArithmeticException e) {
      throw new CheckpointException(
          "%s: tensor %s: the size of shape %s overflows 64 bits; the file is damaged"
              .formatted(file, name, Arrays.toString(shape)),
          e);
    }
  }
}
