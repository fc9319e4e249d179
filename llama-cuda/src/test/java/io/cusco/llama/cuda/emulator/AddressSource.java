package io.cusco.llama.cuda.emulator;

/// `[register + offset]`.
///
/// @param slot of the register, in the wide or the narrow file
record AddressSource(int slot, boolean wide, long offset) {
  /// Computes the addresses of all lanes into the warp's scratch.
  void fill(Warp warp) {
    long[] addresses = warp.addresses;
    if (wide) {
      long[] registers = warp.longs;
      for (int lane = 0; lane < 32; lane++) {
        addresses[lane] = registers[slot + lane] + offset;
      }
    } else {
      int[] registers = warp.ints;
      for (int lane = 0; lane < 32; lane++) {
        addresses[lane] = (registers[slot + lane] & 0xFFFF_FFFFL) + offset;
      }
    }
  }
}
