package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.bindings.cublaslt.CublasLt;
import java.util.Map;

/// What cublasLtMatrixLayoutCreate gives: the shape of a matrix.
record LtLayout(LtAttributes attributes) {
  static LtLayout create(int type, long rows, long columns, long leadingDimension) {
    LtAttributes attributes =
        new LtAttributes(
            Map.of(
                CublasLt.CUBLASLT_MATRIX_LAYOUT_TYPE(), Integer.BYTES,
                CublasLt.CUBLASLT_MATRIX_LAYOUT_ORDER(), Integer.BYTES,
                CublasLt.CUBLASLT_MATRIX_LAYOUT_ROWS(), Long.BYTES,
                CublasLt.CUBLASLT_MATRIX_LAYOUT_COLS(), Long.BYTES,
                CublasLt.CUBLASLT_MATRIX_LAYOUT_LD(), Long.BYTES,
                CublasLt.CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT(), Integer.BYTES,
                CublasLt.CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET(), Long.BYTES));
    attributes.put(CublasLt.CUBLASLT_MATRIX_LAYOUT_TYPE(), type);
    attributes.put(CublasLt.CUBLASLT_MATRIX_LAYOUT_ORDER(), CublasLt.CUBLASLT_ORDER_COL());
    attributes.put(CublasLt.CUBLASLT_MATRIX_LAYOUT_ROWS(), rows);
    attributes.put(CublasLt.CUBLASLT_MATRIX_LAYOUT_COLS(), columns);
    attributes.put(CublasLt.CUBLASLT_MATRIX_LAYOUT_LD(), leadingDimension);
    attributes.put(CublasLt.CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT(), 1);
    return new LtLayout(attributes);
  }

  ElementFormat format() {
    return ElementFormat.of((int) attributes.get(CublasLt.CUBLASLT_MATRIX_LAYOUT_TYPE()));
  }

  int rows() {
    return Math.toIntExact(attributes.get(CublasLt.CUBLASLT_MATRIX_LAYOUT_ROWS()));
  }

  int columns() {
    return Math.toIntExact(attributes.get(CublasLt.CUBLASLT_MATRIX_LAYOUT_COLS()));
  }

  boolean rowMajor() {
    return attributes.get(CublasLt.CUBLASLT_MATRIX_LAYOUT_ORDER()) != CublasLt.CUBLASLT_ORDER_COL();
  }

  int batchCount() {
    return (int) attributes.get(CublasLt.CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT());
  }

  /// Elements from one matrix of the batch to the next.
  long batchStride() {
    return attributes.get(CublasLt.CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET());
  }

  DeviceMatrix at(String name, long address) {
    return new DeviceMatrix(
        name,
        address,
        format(),
        rows(),
        columns(),
        attributes.get(CublasLt.CUBLASLT_MATRIX_LAYOUT_LD()));
  }

  @Override
  public String toString() {
    return "a cublasLt matrix layout";
  }
}
