package io.cusco.llama.cuda.standin;

import java.lang.foreign.MemorySegment;

/// A cuBLAS handle.
final class CublasHandle {
  MemorySegment stream = MemorySegment.NULL;

  /// Device address of the caller's scratch memory; 0 while the library uses its own.
  long workspace;

  long workspaceBytes;
  boolean tensorFloat32;

  @Override
  public String toString() {
    return "a cuBLAS handle";
  }
}
