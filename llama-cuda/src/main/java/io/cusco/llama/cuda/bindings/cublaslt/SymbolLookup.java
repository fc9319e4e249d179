package io.cusco.llama.cuda.bindings.cublaslt;

import io.cusco.llama.cuda.bindings.NativeLibrary;
import java.lang.foreign.MemorySegment;

/// Stands in for `java.lang.foreign.SymbolLookup` in the generated [CublasLt] and asks
/// [NativeLibrary].
final class SymbolLookup {
  private static final SymbolLookup LIBRARY = new SymbolLookup();

  private SymbolLookup() {}

  static SymbolLookup loaderLookup() {
    return LIBRARY;
  }

  /// There is one source of symbols, so an alternative is never needed.
  SymbolLookup or(SymbolLookup alternative) {
    return this;
  }

  /// Never throws: what is missing throws when it is called.
  MemorySegment findOrThrow(String name) {
    return NativeLibrary.CUBLAS_LT.addressOf(name);
  }
}
