package io.cusco.llama.cuda.driver;

import java.lang.foreign.MemorySegment;

/// C pointers to device memory, one object for each address: calls into libraries want segments,
/// and a new one at each call is left to the garbage collector wherever the compiler does not
/// inline the call. The operands of a model lie at a few addresses a layer. Not thread-safe.
final class DevicePointers {
  private static final int FIRST_SLOTS = 64;

  /// Beyond as many slots the table begins anew: a program that allocates and frees for ever names
  /// ever new addresses.
  private static final int MAX_SLOTS = 1 << 14;

  /// Twice as long as there may be pointers, so that a search ends soon at a free slot.
  private MemorySegment[] slots = new MemorySegment[FIRST_SLOTS];

  private int size;

  /// @param address of device memory; 0 is C's null
  MemorySegment of(long address) {
    int slot = slot(slots, address);
    MemorySegment known = slots[slot];
    if (known != null) {
      return known;
    }
    MemorySegment pointer = MemorySegment.ofAddress(address);
    if (2 * ++size > slots.length) {
      grow();
      slot = slot(slots, address);
    }
    slots[slot] = pointer;
    return pointer;
  }

  private void grow() {
    boolean full = slots.length == MAX_SLOTS;
    MemorySegment[] old = slots;
    slots = new MemorySegment[full ? FIRST_SLOTS : 2 * old.length];
    if (full) {
      size = 1;
      return;
    }
    for (MemorySegment pointer : old) {
      if (pointer != null) {
        slots[slot(slots, pointer.address())] = pointer;
      }
    }
  }

  /// Where `address` is, or the free slot where it belongs.
  private static int slot(MemorySegment[] slots, long address) {
    int slot = Long.hashCode(address * 0x9E3779B97F4A7C15L) & (slots.length - 1);
    while (slots[slot] != null && slots[slot].address() != address) {
      slot = (slot + 1) & (slots.length - 1);
    }
    return slot;
  }
}
