package io.cusco.llama.cuda.driver;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Opens shared libraries for the life of the JVM and says why one does not open.
final class DynamicLibrary {
  /// `RTLD_NOW`: what is missing shows here and not at the first call.
  private static final int RTLD_NOW = 2;

  /// The reason for a bare name that leads to no file at all.
  static final String NOT_IN_SYSTEM = "not among the system's libraries";

  private DynamicLibrary() {}

  /// @param symbols empty if it did not open
  /// @param reason why not, in the system's words
  record Opening(Optional<SymbolLookup> symbols, String reason) {
    static Opening failed(String reason) {
      return new Opening(Optional.empty(), reason);
    }
  }

  /// @param name a file with its folder, or a bare name that the system looks up
  static Opening open(String name) {
    Path file = Path.of(name);
    if (file.getParent() != null) {
      if (!Files.isRegularFile(file)) {
        return Opening.failed("no such file");
      }
      Optional<String> damage = damage(file);
      if (damage.isPresent()) {
        return Opening.failed(damage.get());
      }
    }
    try {
      return new Opening(Optional.of(SymbolLookup.libraryLookup(name, Arena.global())), "");
    } catch (IllegalArgumentException e) {
      return Opening.failed(reason(name, file, e));
    }
  }

  private static String reason(String name, Path file, IllegalArgumentException refusal) {
    if (file.getParent() == null && SystemLibraries.lacks(name)) {
      return NOT_IN_SYSTEM;
    }
    String reason = dlopenRefusal(name).orElseGet(() -> String.valueOf(refusal.getMessage()));
    // The caller names the library itself.
    String prefix = name + ": ";
    return reason.startsWith(prefix) ? reason.substring(prefix.length()) : reason;
  }

  /// `libraryLookup` only says that it failed; the C library knows why. Empty if the library opens,
  /// or where there is no `dlopen` (Windows). Linking the two functions takes a tenth of a second,
  /// so nobody should come here at every start.
  private static Optional<String> dlopenRefusal(String name) {
    Linker linker = Linker.nativeLinker();
    Optional<MemorySegment> dlopen = linker.defaultLookup().find("dlopen");
    Optional<MemorySegment> dlerror = linker.defaultLookup().find("dlerror");
    if (dlopen.isEmpty() || dlerror.isEmpty()) {
      return Optional.empty();
    }
    MethodHandle open =
        linker.downcallHandle(
            dlopen.get(),
            FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
    MethodHandle error =
        linker.downcallHandle(dlerror.get(), FunctionDescriptor.of(ValueLayout.ADDRESS));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment library = (MemorySegment) open.invokeExact(arena.allocateFrom(name), RTLD_NOW);
      return library.equals(MemorySegment.NULL)
          ? Optional.of(Status.string((MemorySegment) error.invokeExact()))
          : Optional.empty();
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  /// The loader maps an ELF file before it reads it, and the JVM dies on a page past the end of a
  /// file that was cut off. The section table lies at the end, so the header tells.
  private static Optional<String> damage(Path file) {
    ByteBuffer header = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    try (FileChannel channel = FileChannel.open(file)) {
      while (header.hasRemaining() && channel.read(header) >= 0) {
        // Short reads are allowed.
      }
      // 0x7f 'E' 'L' 'F', then class 2 for 64 bits; anything else is refused by the loader itself.
      if (header.hasRemaining() || header.getInt(0) != 0x464c457f || header.get(4) != 2) {
        return Optional.empty();
      }
      long sectionTable = header.getLong(0x28);
      long sectionBytes = (long) header.getShort(0x3a) * header.getShort(0x3c);
      return sectionTable + sectionBytes > channel.size()
          ? Optional.of(
              "the file is cut off: it has %d of at least %d bytes"
                  .formatted(channel.size(), sectionTable + sectionBytes))
          : Optional.empty();
    } catch (IOException e) {
      return Optional.of("cannot be read: " + e.getMessage());
    }
  }
}
