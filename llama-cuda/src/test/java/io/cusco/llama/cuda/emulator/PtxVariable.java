package io.cusco.llama.cuda.emulator;

import java.util.List;

/// A variable of a state space, of the module or of one kernel.
///
/// @param space `global`, `const`, `shared` or `local`
/// @param numBytes 0 for an `.extern` array, whose size the launch gives
/// @param initial initial bytes, maybe fewer than `numBytes` (the rest is zero); null for none
/// @param references places in the bytes that hold addresses of other variables
record PtxVariable(
    String name,
    String space,
    int alignment,
    long numBytes,
    byte[] initial,
    List<Reference> references,
    int line) {

  /// The address of `symbol` plus `addend` lies at `offset` of a variable's bytes.
  record Reference(int offset, String symbol, long addend) {}

  boolean dynamic() {
    return numBytes == 0;
  }
}
