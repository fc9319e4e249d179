package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_INVALID_VALUE;

import io.cusco.llama.cuda.emulator.DeviceMemory;
import io.cusco.llama.cuda.emulator.DeviceRange;

/// A matrix in device memory, column-major: element (r, c) is number `c * leadingDimension + r`.
record DeviceMatrix(
    String name, long address, ElementFormat format, int rows, int columns, long leadingDimension) {

  private static final int TILE = 32;

  DeviceMatrix {
    StandInFault.require(
        leadingDimension >= Math.max(1, rows),
        CUBLAS_STATUS_INVALID_VALUE,
        "%s: the leading dimension is %s, a column has %s rows",
        name,
        leadingDimension,
        rows);
    StandInFault.require(
        address != 0 && address % format.numBytes() == 0,
        CUBLAS_STATUS_INVALID_VALUE,
        "%s: 0x%x is no address of %s",
        name,
        address,
        format);
  }

  /// The matrix `elements` further on, of a batch.
  DeviceMatrix shifted(long elements) {
    return new DeviceMatrix(
        name, address + elements * format.numBytes(), format, rows, columns, leadingDimension);
  }

  /// The memory from the first element to the last, checked to be within one allocation.
  DeviceRange range(DeviceMemory memory, boolean forWrite) {
    long numBytes = ((columns - 1) * leadingDimension + rows) * format.numBytes();
    return memory.range(address, numBytes, forWrite, "matrix " + name + " of a GEMM");
  }

  /// All elements as `[columns][rows]`; every one of them has to be initialised.
  float[][] read(DeviceMemory memory) {
    DeviceRange range = range(memory, false);
    float[][] values = new float[columns][rows];
    for (int column = 0; column < columns; column++) {
      format.read(range, column * leadingDimension, values[column], 0, rows);
    }
    return values;
  }

  /// The same as `[rows][columns]`.
  float[][] readTransposed(DeviceMemory memory) {
    float[][] source = read(memory);
    float[][] target = new float[rows][columns];
    for (int r0 = 0; r0 < rows; r0 += TILE) {
      for (int c0 = 0; c0 < columns; c0 += TILE) {
        transposeTile(source, target, r0, c0);
      }
    }
    return target;
  }

  private void transposeTile(float[][] source, float[][] target, int r0, int c0) {
    int r1 = Math.min(r0 + TILE, rows);
    int c1 = Math.min(c0 + TILE, columns);
    for (int c = c0; c < c1; c++) {
      float[] column = source[c];
      for (int r = r0; r < r1; r++) {
        target[r][c] = column[r];
      }
    }
  }
}
