package io.cusco.llama.cuda.emulator;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// The memory of the emulated device. Addresses are invented, 512-byte aligned, at least 4 KB apart
/// and never used twice, so that an address past an end, of a freed allocation, or of the host is
/// always told apart.
///
/// Every method throws a [DeviceFault] for a range that is not inside of one live allocation. Not
/// thread-safe: one lock around everything that touches a device.
public final class DeviceMemory {
  private static final long ALIGNMENT = 512;
  private static final long GAP = 4096;

  private final long capacity;
  private final TreeMap<Long, MemoryRegion> live = new TreeMap<>();

  /// Sizes of what was freed, for messages.
  private final TreeMap<Long, Long> freed = new TreeMap<>();

  private long nextAddress = Addresses.DEVICE_BASE;
  private long liveBytes;
  private int numAllocations;

  /// A device that can hold this many bytes; each takes nine eighths of a byte of the heap, and 16
  /// more once a kernel touches it, or its neighbours, with race checks on.
  public DeviceMemory(long capacity) {
    this.capacity = capacity;
  }

  /// Allocates, uninitialised.
  ///
  /// @throws DeviceFault INVALID_VALUE for no bytes, OUT_OF_MEMORY beyond the capacity
  public long allocate(long numBytes) {
    MemoryRegion region = allocate(numBytes, "allocation " + (numAllocations + 1), false);
    numAllocations++;
    return region.base();
  }

  MemoryRegion allocate(long numBytes, String label, boolean readOnly) {
    if (numBytes <= 0) {
      throw new DeviceFault(
          DeviceFault.Kind.INVALID_VALUE, "cannot allocate " + numBytes + " bytes");
    }
    if (numBytes > capacity - liveBytes || numBytes > Integer.MAX_VALUE - 64) {
      throw new DeviceFault(
          DeviceFault.Kind.OUT_OF_MEMORY,
          "cannot allocate %d bytes: %d of %d are in use".formatted(numBytes, liveBytes, capacity));
    }
    MemoryRegion region = new MemoryRegion(label, nextAddress, (int) numBytes, readOnly);
    live.put(nextAddress, region);
    nextAddress = Addresses.alignUp(nextAddress + numBytes + GAP, ALIGNMENT);
    liveBytes += numBytes;
    return region;
  }

  /// Frees an allocation by its first address.
  ///
  /// @throws DeviceFault INVALID_VALUE if none starts there, or it was freed before
  public void free(long address) {
    MemoryRegion region = live.remove(address);
    if (region == null) {
      String why = freed.containsKey(address) ? "was freed before" : "starts no allocation";
      throw new DeviceFault(
          DeviceFault.Kind.INVALID_VALUE, "free of " + Addresses.hex(address) + ", which " + why);
    }
    region.free();
    freed.put(address, (long) region.numBytes());
    liveBytes -= region.numBytes();
  }

  /// Copies from the host.
  public void write(long address, MemorySegment source, long numBytes) {
    DeviceRange range = range(address, numBytes, true, "copy to the device");
    MemorySegment.copy(
        source,
        ValueLayout.JAVA_BYTE,
        0,
        range.region().bytes(),
        range.regionOffset(),
        (int) numBytes);
    range.region().setInitialised(range.regionOffset(), (int) numBytes, true);
  }

  /// Copies to the host; bytes that nothing has written arrive as 0xFF.
  public void read(long address, MemorySegment destination, long numBytes) {
    DeviceRange range = range(address, numBytes, false, "copy to the host");
    MemorySegment.copy(
        range.region().bytes(),
        range.regionOffset(),
        destination,
        ValueLayout.JAVA_BYTE,
        0,
        (int) numBytes);
  }

  /// Copies within the device; bytes that nothing has written stay so at the destination.
  public void copy(long destination, long source, long numBytes) {
    DeviceRange from = range(source, numBytes, false, "source of a device copy");
    DeviceRange to = range(destination, numBytes, true, "destination of a device copy");
    int length = (int) numBytes;
    boolean[] initialised = new boolean[length];
    for (int i = 0; i < length; i++) {
      initialised[i] = from.region().initialised(from.regionOffset() + i);
    }
    System.arraycopy(
        from.region().bytes(), from.regionOffset(), to.region().bytes(), to.regionOffset(), length);
    for (int i = 0; i < length; i++) {
      to.region().setInitialised(to.regionOffset() + i, 1, initialised[i]);
    }
  }

  /// Sets `count` bytes.
  public void fillBytes(long address, byte value, long count) {
    DeviceRange range = range(address, count, true, "fill");
    int from = range.regionOffset();
    Arrays.fill(range.region().bytes(), from, from + (int) count, value);
    range.region().setInitialised(from, (int) count, true);
  }

  /// Sets `count` 16-bit values.
  public void fillShorts(long address, short value, long count) {
    requireAligned(address, 2);
    DeviceRange range = range(address, Math.multiplyExact(count, 2), true, "fill");
    for (long i = 0; i < count; i++) {
      range.setShort(2 * i, value);
    }
  }

  /// Sets `count` 32-bit values.
  public void fillInts(long address, int value, long count) {
    requireAligned(address, 4);
    DeviceRange range = range(address, Math.multiplyExact(count, 4), true, "fill");
    for (long i = 0; i < count; i++) {
      range.setInt(4 * i, value);
    }
  }

  private static void requireAligned(long address, int numBytes) {
    if (address % numBytes != 0) {
      throw new DeviceFault(
          DeviceFault.Kind.INVALID_VALUE,
          "fill at %s, which is not aligned to %d bytes"
              .formatted(Addresses.hex(address), numBytes));
    }
  }

  /// Whether an address lies in a live allocation.
  public boolean contains(long address) {
    return find(address) != null;
  }

  /// Throws unless the range is inside of one live allocation, and writable if asked for.
  ///
  /// @param what in words, for the message
  public void requireRange(long address, long numBytes, boolean forWrite, String what) {
    range(address, numBytes, forWrite, what);
  }

  /// A checked view of a range, for the plain-Java routines that stand in for cuBLAS.
  public DeviceRange range(long address, long numBytes, boolean forWrite, String what) {
    MemoryRegion region = find(address);
    if (region == null || numBytes < 0 || !region.contains(address, numBytes)) {
      throw outside(address, numBytes, -1, what);
    }
    if (forWrite && region.readOnly()) {
      throw new DeviceFault(
          DeviceFault.Kind.READ_ONLY,
          what + " into " + region.describe(address - region.base()) + ", which is constant");
    }
    return new DeviceRange(region, (int) (address - region.base()), (int) numBytes, forWrite, what);
  }

  /// Bytes of all live allocations.
  public long liveBytes() {
    return liveBytes;
  }

  /// What has not been freed, in words.
  public List<String> leaks() {
    return live.values().stream()
        .map(region ->
            "%s: %d bytes at %s"
                .formatted(region.label(), region.numBytes(), Addresses.hex(region.base())))
        .toList();
  }

  /// The live allocation around an address, null where there is none.
  MemoryRegion find(long address) {
    Map.Entry<Long, MemoryRegion> entry = live.floorEntry(address);
    return entry != null && entry.getValue().contains(address, 1) ? entry.getValue() : null;
  }

  /// The fault for an access that is not inside of a live allocation.
  DeviceFault outside(long address, long numBytes, int lane, String what) {
    String access = "%s of %d bytes at %s".formatted(what, numBytes, Addresses.hex(address));
    Map.Entry<Long, Long> dead = freed.floorEntry(address);
    if (dead != null && address - dead.getKey() < dead.getValue()) {
      return new DeviceFault(
          DeviceFault.Kind.USE_AFTER_FREE,
          lane,
          "%s: byte %d of an allocation of %d bytes that was freed"
              .formatted(access, address - dead.getKey(), dead.getValue()));
    }
    Map.Entry<Long, MemoryRegion> below = live.floorEntry(address);
    String where = "no allocation is near";
    if (below != null) {
      MemoryRegion region = below.getValue();
      long past = address + numBytes - region.base() - region.numBytes();
      where = "it ends %d bytes past the end of ".formatted(past) + name(region);
    }
    Map.Entry<Long, MemoryRegion> above = live.higherEntry(address);
    if (find(address) == null && above != null && above.getKey() - address < GAP / 2) {
      where = "%d bytes before ".formatted(above.getKey() - address) + name(above.getValue());
    }
    return new DeviceFault(
        DeviceFault.Kind.ILLEGAL_ADDRESS, lane, "out of bounds: " + access + ": " + where);
  }

  private static String name(MemoryRegion region) {
    return "%s (%d bytes at %s)"
        .formatted(region.label(), region.numBytes(), Addresses.hex(region.base()));
  }
}
