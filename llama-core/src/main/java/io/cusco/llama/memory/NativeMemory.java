package io.cusco.llama.memory;

import io.cusco.llama.LlamaException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;

/// Off-heap memory for weights, activations and the KV cache: the only room in core that calls
/// restricted methods of the Foreign Function and Memory API.
///
/// All segments handed out are of one kind (plain native segments), because a hot loop that meets
/// two kinds of segment class is several times slower.
public final class NativeMemory {
  /// Alignment of every allocation: one cache line, and one 512-bit vector.
  public static final long ALIGNMENT = 64;

  private static final long LARGE_PAGE = 2L << 20;

  /// A multiple of every page size in use.
  private static final long PAGE = 64L << 10;

  /// The files mapped now: address and size.
  private static final ConcurrentSkipListMap<Long, Long> MAPPINGS = new ConcurrentSkipListMap<>();

  private static final boolean IS_LINUX = System.getProperty("os.name").equals("Linux");

  private static final boolean HAS_LARGE_PAGES = findLargePages();

  private NativeMemory() {}

  /// Maps a whole file read-only as one segment, files over 2 GB included. An empty file gives an
  /// empty segment.
  @SuppressWarnings("restricted") // turns the mapped segment class into the plain native one
  public static MemorySegment map(Path file, Arena arena) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      if (size == 0) {
        return MemorySegment.NULL;
      }
      MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
      long address = mapped.address();
      MAPPINGS.put(address, size);
      return mapped.reinterpret(size, arena, ignored -> MAPPINGS.remove(address));
    }
  }

  /// Whether a segment lies in a file that [#map] has mapped.
  public static boolean isMapped(MemorySegment segment) {
    Map.Entry<Long, Long> mapping = MAPPINGS.floorEntry(segment.address());
    return mapping != null
        && segment.address() + segment.byteSize() <= mapping.getKey() + mapping.getValue();
  }

  /// Takes the pages of a part of a mapped file out of the process's memory. They stay readable,
  /// and in the system's cache of the file; the next access gets them back. Does nothing where the
  /// system has no such call, or the segment is not of a mapped file.
  public static void release(MemorySegment part) {
    if (!IS_LINUX || !isMapped(part)) {
      return;
    }
    long start = Math.ceilDiv(part.address(), PAGE) * PAGE;
    long end = (part.address() + part.byteSize()) / PAGE * PAGE;
    if (start < end) {
      Advice.DO_NOT_NEED.give(start, end - start);
    }
  }

  /// Allocates zeroed memory whose pages the operating system provides on first touch, so that a
  /// large KV cache costs only what is used. `Arena.allocate` would touch every page.
  ///
  /// @throws LlamaException if the system refuses
  @SuppressWarnings("restricted") // calls the C library's calloc and free
  public static MemorySegment allocateZeroed(long numBytes, Arena arena) {
    long padded = Math.addExact(Math.max(numBytes, 1), ALIGNMENT);
    MemorySegment block;
    try {
      block = (MemorySegment) C_LIBRARY.calloc.invokeExact(1L, padded);
    } catch (Throwable e) {
      throw new LlamaException("calloc(%d) failed: %s".formatted(padded, e), e);
    }
    if (block.equals(MemorySegment.NULL)) {
      throw new LlamaException(
          "out of memory: the system refused %d bytes (%.1f GB); lower the context length or the"
                  .formatted(numBytes, numBytes / 1e9)
              + " number of concurrent sequences");
    }
    long address = block.address();
    long aligned = (address + ALIGNMENT - 1) & -ALIGNMENT;
    return MemorySegment.ofAddress(aligned)
        .reinterpret(numBytes, arena, ignored -> C_LIBRARY.free(address));
  }

  /// As [#allocateZeroed], for memory that is read from end to end again and again: asks for pages
  /// of 2 MiB where the system has them, because hardware prefetching stops at each page's end.
  ///
  /// @throws LlamaException if the system refuses the memory; small pages are no failure
  public static MemorySegment allocateLargePages(long numBytes, Arena arena) {
    if (numBytes < LARGE_PAGE || !IS_LINUX) {
      return allocateZeroed(numBytes, arena);
    }
    MemorySegment block = allocateZeroed(Math.addExact(numBytes, LARGE_PAGE), arena);
    long start = -block.address() & (LARGE_PAGE - 1);
    MemorySegment pages = block.asSlice(start, numBytes);
    Advice.HUGE_PAGES.give(pages.address(), numBytes);
    return pages;
  }

  /// Whether [#allocateLargePages] can get larger pages than other memory has.
  public static boolean hasLargePages() {
    return HAS_LARGE_PAGES;
  }

  /// Linux says which of three choices holds: `always [madvise] never`.
  private static boolean findLargePages() {
    try {
      return IS_LINUX
          && !Files.readString(Path.of("/sys/kernel/mm/transparent_hugepage/enabled"))
              .contains("[never]");
    } catch (IOException e) {
      return false; // a kernel without them, or a sandbox that does not tell
    }
  }

  private static final CLibrary C_LIBRARY = new CLibrary();

  @SuppressWarnings("restricted")
  private static final class CLibrary {
    final MethodHandle calloc;
    private final MethodHandle free;

    CLibrary() {
      Linker linker = Linker.nativeLinker();
      calloc =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("calloc"),
              FunctionDescriptor.of(
                  ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
      free =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("free"),
              FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
    }

    void free(long address) {
      try {
        free.invokeExact(MemorySegment.ofAddress(address));
      } catch (Throwable e) {
        throw new AssertionError("free(%x)".formatted(address), e);
      }
    }
  }

  /// What Linux can be told about memory (`mman-common.h`); other systems give the numbers another
  /// meaning. Linked by the first who tells it something: most programs never do, and linking takes
  /// a while.
  @SuppressWarnings("restricted")
  private enum Advice {
    DO_NOT_NEED(4),
    HUGE_PAGES(14);

    private static final MethodHandle MADVISE =
        Linker.nativeLinker()
            .downcallHandle(
                Linker.nativeLinker().defaultLookup().findOrThrow("madvise"),
                FunctionDescriptor.of(
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_INT));

    private final int number;

    Advice(int number) {
      this.number = number;
    }

    /// The answer does not matter, it is advice.
    void give(long address, long numBytes) {
      try {
        int ignored = (int) MADVISE.invokeExact(address, numBytes, number);
      } catch (Throwable e) {
        throw new LlamaException("madvise(%x) failed: %s".formatted(address, e), e);
      }
    }
  }
}
