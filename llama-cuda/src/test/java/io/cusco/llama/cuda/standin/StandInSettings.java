package io.cusco.llama.cuda.standin;

/// What the simulated device claims to be. Tests change single facts to reach the paths that depend
/// on them: a device that is too old, a driver that is too old, memory that is too small.
///
/// @param deviceName the name that no test may take for a GPU's
/// @param driverVersion as of cuDriverGetVersion: 12090 is CUDA 12.9
/// @param numDevices 0 or 1
/// @param computeMajor compute capability
/// @param computeMinor compute capability
/// @param totalBytes device memory
/// @param numMultiprocessors few, so that kernels sized by it do not make the emulator slow
/// @param initResult what cuInit returns
public record StandInSettings(
    String deviceName,
    int driverVersion,
    int numDevices,
    int computeMajor,
    int computeMinor,
    long totalBytes,
    int numMultiprocessors,
    CuResult initResult) {

  public static final StandInSettings DEFAULT =
      new StandInSettings(
          "PTX emulator (stand-in, not a GPU)",
          12090,
          1,
          8,
          0,
          256L << 20,
          4,
          CuResult.CUDA_SUCCESS);

  public StandInSettings withDriverVersion(int version) {
    return new StandInSettings(
        deviceName,
        version,
        numDevices,
        computeMajor,
        computeMinor,
        totalBytes,
        numMultiprocessors,
        initResult);
  }

  public StandInSettings withNumDevices(int devices) {
    return new StandInSettings(
        deviceName,
        driverVersion,
        devices,
        computeMajor,
        computeMinor,
        totalBytes,
        numMultiprocessors,
        initResult);
  }

  public StandInSettings withComputeCapability(int major, int minor) {
    return new StandInSettings(
        deviceName,
        driverVersion,
        numDevices,
        major,
        minor,
        totalBytes,
        numMultiprocessors,
        initResult);
  }

  public StandInSettings withTotalBytes(long bytes) {
    return new StandInSettings(
        deviceName,
        driverVersion,
        numDevices,
        computeMajor,
        computeMinor,
        bytes,
        numMultiprocessors,
        initResult);
  }

  public StandInSettings withInitResult(CuResult result) {
    return new StandInSettings(
        deviceName,
        driverVersion,
        numDevices,
        computeMajor,
        computeMinor,
        totalBytes,
        numMultiprocessors,
        result);
  }

  /// The largest dynamic shared memory that a kernel may opt in to, in bytes.
  int sharedBytesOptIn() {
    return switch (computeMajor * 10 + computeMinor) {
      case 80, 87 -> 163 * 1024;
      case 86, 89, 120, 121 -> 99 * 1024;
      default -> 227 * 1024;
    };
  }
}
