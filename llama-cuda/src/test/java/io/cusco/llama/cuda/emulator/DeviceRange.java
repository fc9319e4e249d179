package io.cusco.llama.cuda.emulator;

import java.util.Objects;

/// A part of one allocation, for host routines that compute on device memory. Offsets are in bytes
/// from the start of the range. Reads are checked for bytes that nothing has written; an offset
/// outside of the range is an [IndexOutOfBoundsException], a write to a range that was asked for to
/// read an [IllegalStateException].
public final class DeviceRange {
  private final MemoryRegion region;
  private final int start;
  private final int numBytes;
  private final boolean writable;
  private final String what;

  DeviceRange(MemoryRegion region, int start, int numBytes, boolean writable, String what) {
    this.region = region;
    this.start = start;
    this.numBytes = numBytes;
    this.writable = writable;
    this.what = what;
  }

  public int numBytes() {
    return numBytes;
  }

  MemoryRegion region() {
    return region;
  }

  int regionOffset() {
    return start;
  }

  private int forRead(long offset, int length) {
    int at = start + (int) Objects.checkFromIndexSize(offset, length, numBytes);
    int missing = region.firstUninitialised(at, length);
    if (missing >= 0) {
      throw new DeviceFault(
          DeviceFault.Kind.UNINITIALISED_READ,
          what + " reads " + region.describe(missing) + ", which nothing has written");
    }
    return at;
  }

  private int forWrite(long offset, int length) {
    if (!writable) {
      throw new IllegalStateException(what + " asked for a range to read and writes to it");
    }
    int at = start + (int) Objects.checkFromIndexSize(offset, length, numBytes);
    region.setInitialised(at, length, true);
    return at;
  }

  public byte getByte(long offset) {
    return region.getByte(forRead(offset, 1));
  }

  public short getShort(long offset) {
    return region.getShort(forRead(offset, 2));
  }

  public int getInt(long offset) {
    return region.getInt(forRead(offset, 4));
  }

  public long getLong(long offset) {
    return region.getLong(forRead(offset, 8));
  }

  public float getFloat(long offset) {
    return Float.intBitsToFloat(getInt(offset));
  }

  /// The value of a bfloat16.
  public float getBfloat16(long offset) {
    return Float.intBitsToFloat(getShort(offset) << 16);
  }

  public void setByte(long offset, byte value) {
    region.putByte(forWrite(offset, 1), value);
  }

  public void setShort(long offset, short value) {
    region.putShort(forWrite(offset, 2), value);
  }

  public void setInt(long offset, int value) {
    region.putInt(forWrite(offset, 4), value);
  }

  public void setLong(long offset, long value) {
    region.putLong(forWrite(offset, 8), value);
  }

  public void setFloat(long offset, float value) {
    setInt(offset, Float.floatToRawIntBits(value));
  }

  /// Reads `count` floats into an array from `at`.
  public void getFloats(long offset, float[] into, int at, int count) {
    int from = forRead(offset, Math.multiplyExact(count, 4));
    for (int i = 0; i < count; i++) {
      into[at + i] = Float.intBitsToFloat(region.getInt(from + 4 * i));
    }
  }

  /// Reads `count` bfloat16 values, widened, into an array from `at`.
  public void getBfloat16s(long offset, float[] into, int at, int count) {
    int from = forRead(offset, Math.multiplyExact(count, 2));
    for (int i = 0; i < count; i++) {
      into[at + i] = Float.intBitsToFloat(region.getShort(from + 2 * i) << 16);
    }
  }
}
