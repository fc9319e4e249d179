package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_VALUE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_LAUNCH_FAILED;

import io.cusco.llama.cuda.emulator.DeviceFault;
import io.cusco.llama.cuda.emulator.DeviceMemory;
import io.cusco.llama.cuda.emulator.PtxEmulator;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A primary context from its first retain to its last release: device memory, streams, and the
/// first error that a device does not recover from.
final class SimulatedContext {
  private final DeviceMemory memory;
  private final PtxEmulator emulator;
  private final WorkQueues queues;

  /// Sizes of what the program allocated and has not freed, by address.
  private final Map<Long, Long> allocations = new LinkedHashMap<>();

  private StandInFault lost;

  SimulatedContext(DeviceMemory memory, PtxEmulator emulator, WorkQueues queues) {
    this.memory = memory;
    this.emulator = emulator;
    this.queues = queues;
  }

  DeviceMemory memory() {
    return memory;
  }

  PtxEmulator emulator() {
    return emulator;
  }

  WorkQueues queues() {
    return queues;
  }

  /// The error that every call now returns again, or null.
  StandInFault lost() {
    return lost;
  }

  /// Notes an error if it is one that the context does not survive.
  void note(StandInFault fault) {
    if (lost == null && fault.status() instanceof CuResult result && result.sticky()) {
      lost = new StandInFault(result, "the context was lost earlier: " + fault.getMessage());
    }
  }

  long allocate(long numBytes) {
    long[] address = new long[1];
    onDevice("allocation", () -> address[0] = memory.allocate(numBytes));
    allocations.put(address[0], numBytes);
    return address[0];
  }

  void free(long address) {
    requireAllocation(address);
    memory.free(address);
    allocations.remove(address);
  }

  void requireAllocation(long address) {
    StandInFault.require(
        allocations.containsKey(address),
        CUDA_ERROR_INVALID_VALUE,
        "0x%x is not the start of an allocation, or has been freed already",
        address);
  }

  /// Refuses a range that is not within one allocation when a copy is asked for. That is an invalid
  /// value; the same found out while the copy runs is an illegal address.
  void requireRange(long address, long numBytes, boolean forWrite, String what) {
    if (numBytes == 0) {
      return;
    }
    try {
      memory.requireRange(address, numBytes, forWrite, what);
    } catch (DeviceFault fault) {
      throw new StandInFault(CUDA_ERROR_INVALID_VALUE, fault.getMessage());
    }
  }

  /// Runs work of the device and turns what the emulator finds wrong into the error code of a GPU.
  void onDevice(String what, Runnable action) {
    try {
      action.run();
    } catch (DeviceFault fault) {
      CuResult result = CuResult.of(fault.cuResult());
      throw new StandInFault(
          result == null ? CUDA_ERROR_LAUNCH_FAILED : result, what + ": " + fault.getMessage());
    }
  }

  /// One line per allocation that nobody freed.
  List<String> leaks() {
    List<String> lines = new ArrayList<>();
    allocations.forEach((address, numBytes) ->
        lines.add("%s bytes of device memory at 0x%x were not freed".formatted(numBytes, address)));
    return lines;
  }
}
