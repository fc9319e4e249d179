package io.cusco.llama.cuda.emulator;

/// One instruction, compiled: executes for all lanes of `mask` at once. A lane's registers are at
/// `slot + lane` of the warp's files, so that one dispatch serves 32 lanes.
@FunctionalInterface
interface Operation {
  void run(Warp warp, int mask);
}
