package io.cusco.llama.cuda.emulator;

import java.util.List;

/// The special registers that kernels may read, in the order of their slots.
final class SpecialRegisters {
  /// Names, by slot.
  static final List<String> NAMES =
      List.of(
          "%tid.x",
          "%tid.y",
          "%tid.z",
          "%ntid.x",
          "%ntid.y",
          "%ntid.z",
          "%ctaid.x",
          "%ctaid.y",
          "%ctaid.z",
          "%nctaid.x",
          "%nctaid.y",
          "%nctaid.z",
          "%laneid",
          "%warpid",
          "%nwarpid",
          "%lanemask_eq",
          "%lanemask_lt",
          "%lanemask_le",
          "%lanemask_gt",
          "%lanemask_ge",
          "%smid",
          "%nsmid",
          "%gridid",
          "%dynamic_smem_size",
          "%total_smem_size");

  private SpecialRegisters() {}

  static boolean known(String name) {
    return NAMES.contains(name);
  }

  static int slot(String name) {
    return NAMES.indexOf(name);
  }

  /// Fills the slots that differ between threads or blocks, at the start of a block.
  ///
  /// @param file the narrow register file of a warp
  /// @param base index of the first special register's lane 0
  static void fill(int[] file, int base, Warp warp, LaunchConfig config, int block) {
    int blockX = block % config.gridX();
    int blockY = block / config.gridX() % config.gridY();
    int blockZ = block / config.gridX() / config.gridY();
    for (int lane = 0; lane < 32; lane++) {
      int thread = warp.index() * 32 + lane;
      int below = (1 << lane) - 1;
      int[] values = {
        thread % config.blockX(),
        thread / config.blockX() % config.blockY(),
        thread / config.blockX() / config.blockY(),
        config.blockX(),
        config.blockY(),
        config.blockZ(),
        blockX,
        blockY,
        blockZ,
        config.gridX(),
        config.gridY(),
        config.gridZ(),
        lane,
        warp.index(),
        (config.threadsPerBlock() + 31) / 32,
        1 << lane,
        below,
        below | 1 << lane,
        ~(below | 1 << lane),
        ~below,
        0,
        1,
        0,
        config.dynamicSharedBytes(),
        warp.block().shared().numBytes()
      };
      for (int slot = 0; slot < values.length; slot++) {
        file[base + slot * 32 + lane] = values[slot];
      }
    }
  }
}
