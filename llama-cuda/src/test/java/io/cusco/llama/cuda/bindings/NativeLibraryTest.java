package io.cusco.llama.cuda.bindings;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class NativeLibraryTest {
  private static final FunctionDescriptor ABS = FunctionDescriptor.of(JAVA_INT, JAVA_INT);

  private final NativeLibrary library = new NativeLibrary("a library");

  @Test
  void aFunctionOfTheBoundLibraryIsCalled() throws Throwable {
    NativeLibrary.use(library, Linker.nativeLinker().defaultLookup());
    MethodHandle abs = NativeLibrary.downcallHandle(library.addressOf("abs"), ABS);
    assertThat((int) abs.invokeExact(-7)).isEqualTo(7);
  }

  @Test
  void aMissingFunctionThrowsAFreshExceptionAtEveryCall() {
    NativeLibrary.use(library, _ -> Optional.empty());
    MemorySegment address = library.addressOf("cuNew");
    MethodHandle handle = NativeLibrary.downcallHandle(address, ABS);
    LlamaException first = failure(handle);
    LlamaException second = failure(handle);
    assertThat(first).hasMessageContaining("a library has no function cuNew").isNotSameAs(second);
  }

  @Test
  void aCallBeforeALibraryIsBoundSaysSo() {
    MethodHandle handle = NativeLibrary.downcallHandle(library.addressOf("cuInit"), ABS);
    assertThat(failure(handle))
        .hasMessage("a library: no library was loaded before cuInit was called");
  }

  private static LlamaException failure(MethodHandle handle) {
    try {
      int result = (int) handle.invokeExact(1);
      throw new AssertionError("returned " + result);
    } catch (LlamaException e) {
      return e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aLibraryIsBoundOnce() {
    SymbolLookup none = _ -> Optional.empty();
    assertThat(library.symbols()).isEmpty();
    NativeLibrary.use(library, none);
    assertThat(library.symbols()).contains(none);
    assertThatThrownBy(() -> NativeLibrary.use(library, none))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("a library is bound already in this JVM");
  }

  @Test
  void sizesAre64BitsOnEverySystem() {
    assertThat(NativeLibrary.canonicalLayouts().get("long")).isEqualTo(JAVA_LONG);
  }
}
