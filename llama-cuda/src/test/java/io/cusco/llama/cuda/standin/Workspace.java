package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.emulator.DeviceMemory;

/// The scratch memory that a program lends to cuBLAS.
final class Workspace {
  /// Enough to spoil what a program wrongly keeps there, too little to take time.
  private static final int SCRIBBLED_BYTES = 4096;

  private static final byte SCRIBBLE = (byte) 0xff;

  private Workspace() {}

  /// Overwrites the start of a workspace, as a product split along k would.
  static void scribble(DeviceMemory memory, long address, long numBytes) {
    if (address != 0 && numBytes > 0) {
      memory.fillBytes(address, SCRIBBLE, Math.min(numBytes, SCRIBBLED_BYTES));
    }
  }
}
