package io.cusco.llama.cuda.emulator;

/// Grid and block of a launch, and its dynamic shared memory in bytes.
public record LaunchConfig(
    int gridX, int gridY, int gridZ, int blockX, int blockY, int blockZ, int dynamicSharedBytes) {

  /// Compute capability 8.0, after opting in; whoever launches checks that it did.
  private static final int MAX_SHARED_BYTES = 163 * 1024;

  /// A launch of one dimension.
  public static LaunchConfig of(int grid, int block, int dynamicSharedBytes) {
    return new LaunchConfig(grid, 1, 1, block, 1, 1, dynamicSharedBytes);
  }

  /// Throws a fault where hardware of compute capability 8.0 would refuse (CUDA C++ Programming
  /// Guide, "Technical Specifications per Compute Capability").
  void validate(PtxKernel kernel) {
    require(gridX > 0 && gridY > 0 && gridZ > 0, "grid has to be positive");
    require(blockX > 0 && blockY > 0 && blockZ > 0, "block has to be positive");
    require(gridY <= 65535 && gridZ <= 65535, "grid y and z end at 65535");
    require(blockX <= 1024 && blockY <= 1024 && blockZ <= 64, "blocks end at 1024 x 1024 x 64");
    long threads = (long) blockX * blockY * blockZ;
    require(threads <= 1024, "a block ends at 1024 threads, not " + threads);
    require(
        threads <= kernel.maxThreadsPerBlock(),
        "the kernel is compiled for at most %d threads per block, not %d"
            .formatted(kernel.maxThreadsPerBlock(), threads));
    require((long) gridX * gridY * gridZ < Warp.MAX_BLOCKS, "the emulator ends at 4M blocks");
    require(dynamicSharedBytes >= 0, "shared memory cannot be negative");
    long shared = (long) kernel.staticSharedBytes() + dynamicSharedBytes;
    require(
        shared <= MAX_SHARED_BYTES,
        "%d bytes of shared memory, a block has %d".formatted(shared, MAX_SHARED_BYTES));
  }

  private void require(boolean valid, String problem) {
    if (!valid) {
      throw new DeviceFault(DeviceFault.Kind.INVALID_LAUNCH, this + ": " + problem);
    }
  }

  int threadsPerBlock() {
    return blockX * blockY * blockZ;
  }

  int numBlocks() {
    return gridX * gridY * gridZ;
  }
}
