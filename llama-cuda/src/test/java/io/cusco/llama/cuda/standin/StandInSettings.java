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
/// @param cublasVersion of both cuBLAS libraries: 120901 is 12.9.1, which fits the driver and was
///   the first with scales per row of FP8 matrices
public record StandInSettings(
    String deviceName,
    int driverVersion,
    int numDevices,
    int computeMajor,
    int computeMinor,
    long totalBytes,
    int numMultiprocessors,
    CuResult initResult,
    int cublasVersion) {

  public static final StandInSettings DEFAULT =
      new StandInSettings(
          "PTX emulator (stand-in, not a GPU)",
          12090,
          1,
          8,
          0,
          256L << 20,
          4,
          CuResult.CUDA_SUCCESS,
          120901);

  public StandInSettings withDriverVersion(int version) {
    return new StandInSettings(
        deviceName,
        version,
        numDevices,
        computeMajor,
        computeMinor,
        totalBytes,
        numMultiprocessors,
        initResult,
        cublasVersion);
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
        initResult,
        cublasVersion);
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
        initResult,
        cublasVersion);
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
        initResult,
        cublasVersion);
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
        result,
        cublasVersion);
  }

  public StandInSettings withCublasVersion(int version) {
    return new StandInSettings(
        deviceName,
        driverVersion,
        numDevices,
        computeMajor,
        computeMinor,
        totalBytes,
        numMultiprocessors,
        initResult,
        version);
  }

  /// Part 0, 1 or 2 of the version of cuBLAS (libraryPropertyType).
  int cublasProperty(int property) {
    return switch (property) {
      case 0 -> cublasVersion / 10_000;
      case 1 -> cublasVersion / 100 % 100;
      case 2 -> cublasVersion % 100;
      default ->
          throw new StandInFault(
              CublasStatus.CUBLAS_STATUS_INVALID_VALUE, "library property " + property);
    };
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
