package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// The arguments of a kernel, laid out once as `cuLaunchKernel` wants them and reused for every
/// launch: the driver copies them during the call.
///
/// ```
/// pointers [numParameters] -> values [numParameters], 8 bytes each
/// ```
///
/// A setter checks index and type; a launch checks that every argument was set at some time. Not
/// thread-safe.
public final class LaunchParameters {
  private static final int MAX_PARAMETERS = Long.SIZE;

  private final String kernel;
  private final List<ParameterType> types;
  private final MemorySegment pointers;
  private final MemorySegment values;
  private long unset;

  LaunchParameters(String kernel, List<ParameterType> types) {
    if (types.size() > MAX_PARAMETERS) {
      throw new IllegalArgumentException(
          "kernel %s: %d parameters, at most %d are supported"
              .formatted(kernel, types.size(), MAX_PARAMETERS));
    }
    this.kernel = kernel;
    this.types = types;
    // Collected with this object, without an arena's check of who may use it at every launch.
    Arena arena = Arena.ofAuto();
    values = arena.allocate(JAVA_LONG, Math.max(types.size(), 1));
    pointers = arena.allocate(ADDRESS, Math.max(types.size(), 1));
    for (int i = 0; i < types.size(); i++) {
      pointers.setAtIndex(ADDRESS, i, values.asSlice(i * JAVA_LONG.byteSize()));
    }
    unset = types.isEmpty() ? 0 : -1L >>> (MAX_PARAMETERS - types.size());
  }

  /// A device address, [DeviceBuffer#address()] say; 0 is C's null.
  public LaunchParameters setPointer(int index, long address) {
    check(index, ParameterType.POINTER);
    values.setAtIndex(JAVA_LONG, index, address);
    return this;
  }

  public LaunchParameters setLong(int index, long value) {
    check(index, ParameterType.LONG);
    values.setAtIndex(JAVA_LONG, index, value);
    return this;
  }

  public LaunchParameters setInt(int index, int value) {
    check(index, ParameterType.INT);
    values.set(JAVA_INT, index * JAVA_LONG.byteSize(), value);
    return this;
  }

  public LaunchParameters setFloat(int index, float value) {
    check(index, ParameterType.FLOAT);
    values.set(JAVA_FLOAT, index * JAVA_LONG.byteSize(), value);
    return this;
  }

  private void check(int index, ParameterType type) {
    if (index < 0 || index >= types.size() || types.get(index) != type) {
      throw new IllegalArgumentException(
          "kernel %s takes %s; parameter %d cannot be set to a %s"
              .formatted(kernel, types, index, type));
    }
    unset &= ~(1L << index);
  }

  /// C's `void**`.
  MemorySegment pointers() {
    if (unset != 0) {
      throw new IllegalStateException(
          "kernel %s: parameter %d was never set"
              .formatted(kernel, Long.numberOfTrailingZeros(unset)));
    }
    return pointers;
  }
}
