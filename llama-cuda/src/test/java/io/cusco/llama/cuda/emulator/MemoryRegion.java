package io.cusco.llama.cuda.emulator;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/// One piece of emulated memory with what the checks keep about it: an allocation of the device,
/// the shared memory of a block, or the local memory of a warp. Little endian, as the GPU. Fresh
/// bytes are 0xFF, which reads as NaN in every floating-point type.
///
/// Callers check bounds ([#contains]); accesses beyond the array fail as Java arrays do.
final class MemoryRegion {
  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private final String label;
  private final long base;
  private final int numBytes;
  private final boolean readOnly;
  private final byte[] bytes;

  /// One bit per byte: whether anything wrote it.
  private final long[] initialised;

  /// Made at the first access that is checked for races.
  private RaceShadow shadow;

  private boolean alive = true;

  MemoryRegion(String label, long base, int numBytes, boolean readOnly) {
    this.label = label;
    this.base = base;
    this.numBytes = numBytes;
    this.readOnly = readOnly;
    this.bytes = new byte[numBytes];
    this.initialised = new long[(numBytes + 63) / 64];
    poison();
  }

  /// Forgets all contents.
  void poison() {
    Arrays.fill(bytes, (byte) 0xFF);
    Arrays.fill(initialised, 0);
  }

  String label() {
    return label;
  }

  long base() {
    return base;
  }

  int numBytes() {
    return numBytes;
  }

  boolean readOnly() {
    return readOnly;
  }

  boolean alive() {
    return alive;
  }

  void free() {
    alive = false;
  }

  /// The bytes themselves, for bulk copies.
  byte[] bytes() {
    return bytes;
  }

  boolean contains(long address, long length) {
    long offset = address - base;
    return offset >= 0 && length <= numBytes && offset <= numBytes - length;
  }

  RaceShadow shadow() {
    if (shadow == null) {
      shadow = new RaceShadow(numBytes);
    }
    return shadow;
  }

  /// The first byte of a range that nothing has written, -1 where all are.
  int firstUninitialised(int offset, int length) {
    // Accesses of instructions are aligned and at most 16 bytes: one word of flags.
    if ((offset & 63) + length <= 64) {
      long flags = initialised[offset >> 6] >>> (offset & 63);
      long wanted = length == 64 ? -1L : (1L << length) - 1;
      long missing = ~flags & wanted;
      return missing == 0 ? -1 : offset + Long.numberOfTrailingZeros(missing);
    }
    for (int done = 0; done < length; ) {
      int at = offset + done;
      int step = Math.min(64 - (at & 63), length - done);
      int missing = firstUninitialised(at, step);
      if (missing >= 0) {
        return missing;
      }
      done += step;
    }
    return -1;
  }

  void setInitialised(int offset, int length, boolean value) {
    for (int done = 0; done < length; ) {
      int at = offset + done;
      int step = Math.min(64 - (at & 63), length - done);
      long flags = (step == 64 ? -1L : (1L << step) - 1) << (at & 63);
      if (value) {
        initialised[at >> 6] |= flags;
      } else {
        initialised[at >> 6] &= ~flags;
      }
      done += step;
    }
  }

  boolean initialised(int offset) {
    return (initialised[offset >> 6] >>> (offset & 63) & 1) != 0;
  }

  byte getByte(int offset) {
    return bytes[offset];
  }

  short getShort(int offset) {
    return (short) SHORT.get(bytes, offset);
  }

  int getInt(int offset) {
    return (int) INT.get(bytes, offset);
  }

  long getLong(int offset) {
    return (long) LONG.get(bytes, offset);
  }

  void putByte(int offset, byte value) {
    bytes[offset] = value;
  }

  void putShort(int offset, short value) {
    SHORT.set(bytes, offset, value);
  }

  void putInt(int offset, int value) {
    INT.set(bytes, offset, value);
  }

  void putLong(int offset, long value) {
    LONG.set(bytes, offset, value);
  }

  /// A place in words: `byte 12 of allocation 3 (4096 bytes at 0x7f…)`.
  String describe(long offset) {
    return "byte %d of %s (%d bytes at %s)".formatted(offset, label, numBytes, Addresses.hex(base));
  }
}
