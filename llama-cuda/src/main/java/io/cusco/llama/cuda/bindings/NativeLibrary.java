package io.cusco.llama.cuda.bindings;

import io.cusco.llama.LlamaException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// The native libraries behind the generated bindings, each chosen once per JVM by [#use].
///
/// The generated classes name no library. They ask `SymbolLookup` and `Linker`; package-private
/// classes of these names beside them take precedence over those of `java.lang.foreign` and come
/// here. Thus the library is found at run time, a stand-in can take its place, and a function that
/// an old library lacks throws one clear exception whenever it is called, where a failing class
/// initializer would have given `NoClassDefFoundError`.
///
/// A generated function links at its first call and stays linked; so [#use] comes first.
/// Thread-safe.
public final class NativeLibrary {
  public static final NativeLibrary DRIVER = new NativeLibrary("the CUDA driver");
  public static final NativeLibrary CUBLAS = new NativeLibrary("cuBLAS");
  public static final NativeLibrary CUBLAS_LT = new NativeLibrary("cublasLt");

  private final String description;
  private SymbolLookup symbols;

  /// For tests; the libraries are the constants.
  NativeLibrary(String description) {
    this.description = description;
  }

  /// Binds `library` to these symbols for the life of the JVM.
  ///
  /// @throws IllegalStateException if it is bound already
  public static void use(NativeLibrary library, SymbolLookup symbols) {
    synchronized (library) {
      if (library.symbols != null) {
        throw new IllegalStateException(library.description + " is bound already in this JVM");
      }
      library.symbols = symbols;
    }
  }

  /// The symbols that [#use] chose; empty before.
  public synchronized Optional<SymbolLookup> symbols() {
    return Optional.ofNullable(symbols);
  }

  /// For the generated code: the address of a function, or a mark that [#downcallHandle]
  /// understands if the library lacks it.
  public MemorySegment addressOf(String function) {
    return symbols()
        .flatMap(lookup -> lookup.find(function))
        .orElseGet(() -> mark(missingText(function)));
  }

  private String missingText(String function) {
    return symbols().isEmpty()
        ? "%s: no library was loaded before %s was called".formatted(description, function)
        : "%s has no function %s: it is too old or broken; install a current one"
            .formatted(description, function);
  }

  /// No library hands out an address on the Java heap.
  private static MemorySegment mark(String text) {
    return MemorySegment.ofArray(text.getBytes(StandardCharsets.UTF_8));
  }

  /// For the generated code: a handle that calls the function, or, if its address is the mark of a
  /// missing one, throws [LlamaException].
  public static MethodHandle downcallHandle(MemorySegment address, FunctionDescriptor function) {
    if (address.isNative()) {
      return Linker.nativeLinker().downcallHandle(address, function);
    }
    String text = new String(address.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    MethodType type = function.toMethodType();
    // A fresh exception for every call, so that its stack trace is the caller's.
    MethodHandle thrower =
        MethodHandles.collectArguments(
            MethodHandles.throwException(type.returnType(), LlamaException.class),
            0,
            exceptionConstructor().bindTo(text));
    return MethodHandles.dropArguments(thrower, 0, type.parameterList());
  }

  /// For the generated code: C's types. `long` is 64 bits also on Windows, because in the headers
  /// bound here it stands for `size_t` and `uint64_t` only, and the code was generated on Linux.
  public static Map<String, MemoryLayout> canonicalLayouts() {
    Map<String, MemoryLayout> layouts = new HashMap<>(Linker.nativeLinker().canonicalLayouts());
    layouts.put("long", ValueLayout.JAVA_LONG);
    return Map.copyOf(layouts);
  }

  private static MethodHandle exceptionConstructor() {
    try {
      return MethodHandles.publicLookup()
          .findConstructor(LlamaException.class, MethodType.methodType(void.class, String.class));
    } catch (ReflectiveOperationException e) {
      throw new LinkageError(e.getMessage(), e);
    }
  }
}
