package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

/// One GPU as the driver describes it.
///
/// @param ordinal its number in the driver's order, which `CUDA_VISIBLE_DEVICES` changes
/// @param handle the driver's `CUdevice`
/// @param uuid "GPU-" and 32 hexadecimal digits in groups, as nvidia-smi prints it
/// @param computeMajor,computeMinor compute capability: 9 and 0 for an H200
/// @param totalBytes device memory
/// @param multiprocessors streaming multiprocessors
/// @param sharedBytesPerBlock the most shared memory a block may ask for
/// @param l2CacheBytes second-level cache
public record CudaDevice(
    int ordinal,
    int handle,
    String name,
    String uuid,
    int computeMajor,
    int computeMinor,
    long totalBytes,
    int multiprocessors,
    int sharedBytesPerBlock,
    int l2CacheBytes) {

  private static final int MAX_NAME_BYTES = 256;

  /// All devices that the driver shows; `cuInit` has succeeded before.
  ///
  /// @throws CudaException if the driver fails
  public static List<CudaDevice> all() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocate(JAVA_INT);
      Status.checkDriver(CudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount", "");
      List<CudaDevice> devices = new ArrayList<>();
      for (int ordinal = 0; ordinal < count.get(JAVA_INT, 0); ordinal++) {
        devices.add(read(ordinal, arena));
      }
      return List.copyOf(devices);
    }
  }

  private static CudaDevice read(int ordinal, Arena arena) {
    String device = "device " + ordinal;
    MemorySegment handle = arena.allocate(JAVA_INT);
    Status.checkDriver(CudaDriver.cuDeviceGet(handle, ordinal), "cuDeviceGet", device);
    int cuDevice = handle.get(JAVA_INT, 0);
    MemorySegment name = arena.allocate(MAX_NAME_BYTES);
    Status.checkDriver(
        CudaDriver.cuDeviceGetName(name, MAX_NAME_BYTES, cuDevice), "cuDeviceGetName", device);
    MemorySegment uuid = arena.allocate(16);
    Status.checkDriver(CudaDriver.cuDeviceGetUuid_v2(uuid, cuDevice), "cuDeviceGetUuid_v2", device);
    MemorySegment total = arena.allocate(JAVA_LONG);
    Status.checkDriver(
        CudaDriver.cuDeviceTotalMem_v2(total, cuDevice), "cuDeviceTotalMem_v2", device);
    return new CudaDevice(
        ordinal,
        cuDevice,
        name.getString(0),
        uuidText(uuid.toArray(JAVA_BYTE)),
        attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR(), cuDevice),
        attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR(), cuDevice),
        total.get(JAVA_LONG, 0),
        attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT(), cuDevice),
        attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN(), cuDevice),
        attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE(), cuDevice));
  }

  private static int attribute(int attribute, int cuDevice) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(JAVA_INT);
      Status.checkDriver(
          CudaDriver.cuDeviceGetAttribute(value, attribute, cuDevice),
          "cuDeviceGetAttribute",
          "device handle %d, attribute %d".formatted(cuDevice, attribute));
      return value.get(JAVA_INT, 0);
    }
  }

  private static String uuidText(byte[] bytes) {
    String hex = HexFormat.of().formatHex(bytes);
    return "GPU-%s-%s-%s-%s-%s"
        .formatted(
            hex.substring(0, 8),
            hex.substring(8, 12),
            hex.substring(12, 16),
            hex.substring(16, 20),
            hex.substring(20));
  }

  /// Whether the compute capability is at least `major.minor`.
  public boolean hasCompute(int major, int minor) {
    return computeMajor > major || (computeMajor == major && computeMinor >= minor);
  }

  /// "device 0 (NVIDIA H200)", for messages.
  public String label() {
    return "device %d (%s)".formatted(ordinal, name);
  }

  /// "NVIDIA H200, 150.1 GB, compute capability 9.0".
  public String description() {
    return String.format(
        Locale.ROOT,
        "%s, %.1f GB, compute capability %d.%d",
        name,
        totalBytes / 1e9,
        computeMajor,
        computeMinor);
  }
}
