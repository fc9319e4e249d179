package io.cusco.llama.checkpoint;

import java.util.Optional;

/// Element types of stored tensors. Block types store `blockSize` consecutive values of a row in
/// `blockBytes` bytes; float types are blocks of one.
///
/// Layouts are those of ggml's `ggml-common.h`; ids are ggml's `ggml_type`.
public enum DType {
  F32(0, 1, 4),
  F16(1, 1, 2),
  BF16(30, 1, 2),
  Q4_0(2, 32, 18),
  Q4_1(3, 32, 20),
  Q5_0(6, 32, 22),
  Q5_1(7, 32, 24),
  Q8_0(8, 32, 34),
  Q2_K(10, 256, 84),
  Q3_K(11, 256, 110),
  Q4_K(12, 256, 144),
  Q5_K(13, 256, 176),
  Q6_K(14, 256, 210),
  IQ4_NL(20, 32, 18),
  IQ4_XS(23, 256, 136);

  private final int ggmlId;
  private final int blockSize;
  private final int blockBytes;

  DType(int ggmlId, int blockSize, int blockBytes) {
    this.ggmlId = ggmlId;
    this.blockSize = blockSize;
    this.blockBytes = blockBytes;
  }

  /// ggml's number for this type.
  public int ggmlId() {
    return ggmlId;
  }

  /// Values per block.
  public int blockSize() {
    return blockSize;
  }

  /// Bytes per block.
  public int blockBytes() {
    return blockBytes;
  }

  /// Whether values are stored one by one rather than in quantised blocks.
  public boolean isFloat() {
    return blockSize == 1;
  }

  /// Bytes that `numElements` values take.
  ///
  /// @throws IllegalArgumentException if `numElements` is negative or no multiple of [#blockSize()]
  /// @throws ArithmeticException if the size overflows a `long`
  public long numBytes(long numElements) {
    if (numElements < 0 || numElements % blockSize != 0) {
      throw new IllegalArgumentException(
          "%s stores blocks of %d values; %d is not a multiple"
              .formatted(this, blockSize, numElements));
    }
    return Math.multiplyExact(numElements / blockSize, blockBytes);
  }

  /// The type with ggml's number `ggmlId`, if it is one of those supported.
  public static Optional<DType> ofGgmlId(long ggmlId) {
    for (DType type : values()) {
      if (type.ggmlId == ggmlId) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }
}
