package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_INVALID_VALUE;

import io.cusco.llama.cuda.bindings.cublaslt.CublasLt;
import java.lang.foreign.MemorySegment;

/// cublasLt without a device: version, texts, descriptors. Works before there is a context, as in
/// the library.
final class LtDescriptorCalls {
  private static final int SCALE_MODES_SINCE = 120800;

  private final StandIn standIn;
  private final StatusTexts texts = new StatusTexts();

  LtDescriptorCalls(StandIn standIn) {
    this.standIn = standIn;
  }

  private <T> T get(MemorySegment handle, Class<T> type) {
    return standIn.gpu().handles().get(handle, type);
  }

  private int create(MemorySegment pointer, Object created) {
    HostMemory.putPointer(pointer, standIn.gpu().handles().register(created));
    return 0;
  }

  private int destroy(MemorySegment handle, Class<?> type) {
    standIn.gpu().handles().remove(handle, type);
    return 0;
  }

  long cublasLtGetVersion() {
    return standIn.gpu().settings().cublasVersion();
  }

  long cublasLtGetCudartVersion() {
    return standIn.gpu().settings().driverVersion();
  }

  int cublasLtGetProperty(int property, MemorySegment value) {
    HostMemory.putInt(value, standIn.gpu().settings().cublasProperty(property));
    return 0;
  }

  MemorySegment cublasLtGetStatusName(int status) {
    return texts.name(status);
  }

  MemorySegment cublasLtGetStatusString(int status) {
    return texts.text(status);
  }

  int cublasLtMatmulDescCreate(MemorySegment descriptor, int computeType, int scaleType) {
    return create(descriptor, LtDescriptor.create(computeType, scaleType));
  }

  int cublasLtMatmulDescDestroy(MemorySegment descriptor) {
    return destroy(descriptor, LtDescriptor.class);
  }

  int cublasLtMatmulDescSetAttribute(
      MemorySegment descriptor, int attribute, MemorySegment buffer, long numBytes) {
    StandInFault.require(
        standIn.gpu().settings().cublasVersion() >= SCALE_MODES_SINCE
            || (attribute != CublasLt.CUBLASLT_MATMUL_DESC_A_SCALE_MODE()
                && attribute != CublasLt.CUBLASLT_MATMUL_DESC_B_SCALE_MODE()),
        CUBLAS_STATUS_INVALID_VALUE,
        "scale modes came with cublasLt 12.8");
    get(descriptor, LtDescriptor.class).attributes().set(attribute, buffer, numBytes);
    return 0;
  }

  int cublasLtMatmulDescGetAttribute(
      MemorySegment descriptor,
      int attribute,
      MemorySegment buffer,
      long numBytes,
      MemorySegment written) {
    get(descriptor, LtDescriptor.class).attributes().get(attribute, buffer, numBytes, written);
    return 0;
  }

  int cublasLtMatrixLayoutCreate(
      MemorySegment layout, int type, long rows, long columns, long leadingDimension) {
    return create(layout, LtLayout.create(type, rows, columns, leadingDimension));
  }

  int cublasLtMatrixLayoutDestroy(MemorySegment layout) {
    return destroy(layout, LtLayout.class);
  }

  int cublasLtMatrixLayoutSetAttribute(
      MemorySegment layout, int attribute, MemorySegment buffer, long numBytes) {
    get(layout, LtLayout.class).attributes().set(attribute, buffer, numBytes);
    return 0;
  }

  int cublasLtMatrixLayoutGetAttribute(
      MemorySegment layout,
      int attribute,
      MemorySegment buffer,
      long numBytes,
      MemorySegment written) {
    get(layout, LtLayout.class).attributes().get(attribute, buffer, numBytes, written);
    return 0;
  }

  int cublasLtMatmulPreferenceCreate(MemorySegment preference) {
    return create(preference, LtPreference.create());
  }

  int cublasLtMatmulPreferenceDestroy(MemorySegment preference) {
    return destroy(preference, LtPreference.class);
  }

  int cublasLtMatmulPreferenceSetAttribute(
      MemorySegment preference, int attribute, MemorySegment buffer, long numBytes) {
    get(preference, LtPreference.class).attributes().set(attribute, buffer, numBytes);
    return 0;
  }
}
