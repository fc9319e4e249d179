package io.cusco.llama.cuda.standin;

import static java.util.Map.entry;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.util.Map;

/// What cuDeviceGetAttribute answers: the limits of CUDA that programs depend on, those of the
/// compute capability from the programming guide's table, and zero for every clock and width that a
/// speed could be computed from.
final class DeviceAttributes {
  static final int MAX_THREADS_PER_BLOCK = 1024;
  static final int MAX_BLOCK_DIM_Z = 64;
  static final int MAX_GRID_DIM_YZ = 65535;

  /// Dynamic and static shared memory together, in bytes, that a kernel gets without asking for
  /// more.
  static final int SHARED_BYTES_PER_BLOCK = 48 * 1024;

  /// What the system keeps of a block's shared memory, in bytes.
  static final int RESERVED_SHARED_BYTES = 1024;

  static final int THREADS_PER_MULTIPROCESSOR = 2048;
  static final int BLOCKS_PER_MULTIPROCESSOR = 32;

  private DeviceAttributes() {}

  static Map<Integer, Integer> of(StandInSettings settings) {
    return Map.ofEntries(
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR(), settings.computeMajor()),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR(), settings.computeMinor()),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT(), settings.numMultiprocessors()),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_WARP_SIZE(), 32),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK(), MAX_THREADS_PER_BLOCK),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X(), MAX_THREADS_PER_BLOCK),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y(), MAX_THREADS_PER_BLOCK),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z(), MAX_BLOCK_DIM_Z),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X(), Integer.MAX_VALUE),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y(), MAX_GRID_DIM_YZ),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z(), MAX_GRID_DIM_YZ),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK(), SHARED_BYTES_PER_BLOCK),
        entry(
            CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN(),
            settings.sharedBytesOptIn()),
        entry(
            CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR(),
            settings.sharedBytesOptIn() + RESERVED_SHARED_BYTES),
        entry(
            CudaDriver.CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK(),
            RESERVED_SHARED_BYTES),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK(), 65536),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR(), 65536),
        entry(
            CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR(),
            THREADS_PER_MULTIPROCESSOR),
        entry(
            CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR(),
            BLOCKS_PER_MULTIPROCESSOR),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_CLOCK_RATE(), 0),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE(), 0),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH(), 0),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE(), 0),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT(), 2),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS(), 1),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_INTEGRATED(), 0),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_COMPUTE_MODE(), 0),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_ECC_ENABLED(), 0),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING(), 0),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED(), 1),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH(), 0),
        entry(CudaDriver.CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH(), 0));
  }
}
