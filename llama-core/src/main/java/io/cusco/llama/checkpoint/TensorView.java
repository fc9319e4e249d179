package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/// A named tensor inside a checkpoint: a view, never a copy. Row-major; the last dimension is
/// contiguous. The segment is off-heap, read-only by convention, exactly as long as the tensor, and
/// valid until the owning [Checkpoint] is closed. It may begin at any byte (safetensors and .pth do
/// not align): read it with unaligned layouts.
///
/// @param name the tensor's name in the file
/// @param dtype how elements are stored, little-endian
/// @param shape outermost dimension first: a projection is `[outFeatures, inFeatures]`
/// @param segment the tensor's bytes
public record TensorView(String name, DType dtype, long[] shape, MemorySegment segment) {

  public TensorView {
    shape = shape.clone();
    long numElements = 1;
    for (long dimension : shape) {
      if (dimension <= 0) {
        throw new IllegalArgumentException(
            "tensor %s: dimensions must be positive, got %s"
                .formatted(name, Arrays.toString(shape)));
      }
      numElements = Math.multiplyExact(numElements, dimension);
    }
    if (shape.length > 0 && shape[shape.length - 1] % dtype.blockSize() != 0) {
      throw new IllegalArgumentException(
          "tensor %s: row length %d is not a multiple of %s's block of %d"
              .formatted(name, shape[shape.length - 1], dtype, dtype.blockSize()));
    }
    if (segment.byteSize() != dtype.numBytes(numElements)) {
      throw new IllegalArgumentException(
          "tensor %s: %s %s takes %d bytes, the view has %d"
              .formatted(
                  name,
                  dtype,
                  Arrays.toString(shape),
                  dtype.numBytes(numElements),
                  segment.byteSize()));
    }
  }

  @Override
  public long[] shape() {
    return shape.clone();
  }

  /// Product of the dimensions.
  public long numElements() {
    long product = 1;
    for (long dimension : shape) {
      product *= dimension;
    }
    return product;
  }

  /// Length of one row: the last dimension.
  public int columns() {
    return Math.toIntExact(shape[shape.length - 1]);
  }

  /// Number of rows: the product of all dimensions but the last.
  public int rows() {
    return Math.toIntExact(numElements() / shape[shape.length - 1]);
  }

  /// Bytes of one row.
  public long rowBytes() {
    return dtype.numBytes(columns());
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TensorView that
        && name.equals(that.name)
        && dtype == that.dtype
        && Arrays.equals(shape, that.shape)
        && segment.equals(that.segment);
  }

  @Override
  public int hashCode() {
    return name.hashCode() * 31 + Arrays.hashCode(shape);
  }

  @Override
  public String toString() {
    return "%s %s %s".formatted(name, dtype, Arrays.toString(shape));
  }
}
