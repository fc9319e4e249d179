package io.cusco.llama.cuda.bindings.driver;

import io.cusco.llama.cuda.bindings.NativeLibrary;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Map;

/// Stands in for `java.lang.foreign.Linker` in the generated [CudaDriver] and asks [NativeLibrary].
final class Linker {
  private static final Linker LINKER = new Linker();

  private Linker() {}

  static Linker nativeLinker() {
    return LINKER;
  }

  Map<String, MemoryLayout> canonicalLayouts() {
    return NativeLibrary.canonicalLayouts();
  }

  SymbolLookup defaultLookup() {
    return SymbolLookup.loaderLookup();
  }

  MethodHandle downcallHandle(MemorySegment address, FunctionDescriptor function) {
    return NativeLibrary.downcallHandle(address, function);
  }
}
