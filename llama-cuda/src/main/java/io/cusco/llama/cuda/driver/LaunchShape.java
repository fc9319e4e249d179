package io.cusco.llama.cuda.driver;

/// Blocks in the grid, threads in a block, and dynamic shared memory of each block.
///
/// @param gridX,gridY,gridZ blocks
/// @param blockX,blockY,blockZ threads
/// @param sharedBytes dynamic shared memory beside what the kernel declares
public record LaunchShape(
    int gridX, int gridY, int gridZ, int blockX, int blockY, int blockZ, int sharedBytes) {

  public LaunchShape {
    // cuda.h of every version: gridDim.y and z have 16 bits, a block has at most 1024 threads.
    boolean valid =
        gridX > 0
            && gridY > 0
            && gridY < 1 << 16
            && gridZ > 0
            && gridZ < 1 << 16
            && blockX > 0
            && blockY > 0
            && blockZ > 0
            && (long) blockX * blockY * blockZ <= 1024
            && sharedBytes >= 0;
    if (!valid) {
      throw new IllegalArgumentException(
          "no launch has grid %d x %d x %d, block %d x %d x %d, %d shared bytes"
              .formatted(gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes));
    }
  }

  /// A one-dimensional grid of one-dimensional blocks.
  public static LaunchShape of(int blocks, int threads) {
    return new LaunchShape(blocks, 1, 1, threads, 1, 1, 0);
  }

  public LaunchShape withSharedBytes(int bytes) {
    return new LaunchShape(gridX, gridY, gridZ, blockX, blockY, blockZ, bytes);
  }
}
