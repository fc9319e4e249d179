package io.cusco.llama.cuda.emulator;

/// The invented address space. Device allocations start at [#DEVICE_BASE]; shared and local memory
/// are seen through windows of the generic address space that no allocation reaches.
final class Addresses {
  /// First device address; never an address of the host, so that host code cannot read through one.
  static final long DEVICE_BASE = 0x7f00_0000_0000L;

  /// Generic address of shared address 0 of a block.
  static final long SHARED_WINDOW = 0x0100_0000_0000_0000L;

  /// Generic address of local address 0 of a thread.
  static final long LOCAL_WINDOW = 0x0200_0000_0000_0000L;

  /// Size of each window.
  static final long WINDOW_BYTES = 1L << 32;

  /// Shared and local variables start here, so that address 0 is never valid.
  static final int FIRST_OFFSET = 1024;

  private Addresses() {}

  static long alignUp(long value, long alignment) {
    return (value + alignment - 1) / alignment * alignment;
  }

  static boolean shared(long address) {
    return address >= SHARED_WINDOW && address < SHARED_WINDOW + WINDOW_BYTES;
  }

  static boolean local(long address) {
    return address >= LOCAL_WINDOW && address < LOCAL_WINDOW + WINDOW_BYTES;
  }

  static String hex(long address) {
    return "0x" + Long.toHexString(address);
  }
}
