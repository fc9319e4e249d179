package io.cusco.llama.cuda;

import io.cusco.llama.cuda.driver.CudaFunction;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.LaunchParameters;
import io.cusco.llama.cuda.driver.LaunchShape;
import java.util.Arrays;

/// A kernel with one block of arguments and the shapes of its last launches, so that launches of
/// the same few shapes, a step's layers say, allocate nothing. Not thread-safe.
final class KernelLaunch {
  /// What 16-byte accesses need of every row-major operand.
  private static final int ALIGNMENT = 16;

  /// Above this a kernel has to opt in (CUDA C++ Programming Guide, "Shared Memory").
  private static final int SHARED_WITHOUT_ASKING = 48 << 10;

  /// Shapes kept: a matrix-vector kernel serves the projections of a layer and the head.
  private static final int SHAPES = 8;

  private final CudaFunction function;
  private final LaunchParameters parameters;
  private int blockX;
  private int blockY;
  private int gridY = 1;
  private int sharedBytes;
  private final LaunchShape[] shapes = new LaunchShape[SHAPES];
  private int nextShape;

  KernelLaunch(CudaFunction function) {
    this.function = function;
    parameters = function.newParameters();
  }

  /// Threads of a block in every launch from now on.
  KernelLaunch block(int x, int y) {
    blockX = x;
    blockY = y;
    Arrays.fill(shapes, null);
    return this;
  }

  /// Blocks beside each other in every launch from now on; 1 if not set.
  KernelLaunch gridY(int blocks) {
    gridY = blocks;
    return this;
  }

  /// Dynamic shared memory of each block in every launch from now on.
  KernelLaunch shared(int numBytes) {
    if (numBytes > SHARED_WITHOUT_ASKING) {
      function.setMaxDynamicSharedBytes(numBytes);
    }
    sharedBytes = numBytes;
    Arrays.fill(shapes, null);
    return this;
  }

  /// The address of rows or blocks that are read and written 16 bytes at a time.
  KernelLaunch rows(int index, long address) {
    if (address % ALIGNMENT != 0) {
      throw new IllegalArgumentException(
          "kernel %s: argument %d is at 0x%x, which is no multiple of %d; start rows at a buffer's start"
              .formatted(function.name(), index, address, ALIGNMENT));
    }
    parameters.setPointer(index, address);
    return this;
  }

  /// The address of anything whose elements are read and written one at a time.
  KernelLaunch elements(int index, long address) {
    parameters.setPointer(index, address);
    return this;
  }

  KernelLaunch set(int index, int value) {
    parameters.setInt(index, value);
    return this;
  }

  KernelLaunch set(int index, float value) {
    parameters.setFloat(index, value);
    return this;
  }

  /// Queues `gridX * gridY` blocks; none if `gridX` is 0.
  void launch(CudaStream stream, int gridX) {
    launch(stream, gridX, gridY, 1);
  }

  /// Queues `x * y * z` blocks, for kernels whose grid follows from the step; none if `x` is 0.
  void launch(CudaStream stream, int x, int y, int z) {
    if (x == 0) {
      return;
    }
    function.launch(stream, shape(x, y, z), parameters);
  }

  private LaunchShape shape(int x, int y, int z) {
    for (LaunchShape known : shapes) {
      if (known != null && known.gridX() == x && known.gridY() == y && known.gridZ() == z) {
        return known;
      }
    }
    LaunchShape shape = new LaunchShape(x, y, z, blockX, blockY, 1, sharedBytes);
    shapes[nextShape] = shape;
    nextShape = (nextShape + 1) % SHAPES;
    return shape;
  }
}
