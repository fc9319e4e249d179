package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_VALUE;
import static java.nio.charset.StandardCharsets.US_ASCII;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;

/// The driver's start, its errors, its devices and their primary contexts.
final class DeviceCalls {
  /// 16 bytes that no NVIDIA driver would give: they spell what this is.
  private static final byte[] UUID = "cusco-stand-in-0".getBytes(US_ASCII);

  private final StandIn standIn;

  /// C texts by their code, kept for the life of the JVM as the driver's are.
  private final Map<Integer, MemorySegment> names = new HashMap<>();

  private final Map<Integer, MemorySegment> texts = new HashMap<>();

  DeviceCalls(StandIn standIn) {
    this.standIn = standIn;
    for (CuResult result : CuResult.values()) {
      names.put(result.code(), Arena.global().allocateFrom(result.name()));
      texts.put(result.code(), Arena.global().allocateFrom(result.text()));
    }
  }

  int cuInit(int flags) {
    StandInFault.require(flags == 0, CUDA_ERROR_INVALID_VALUE, "flags are %s, not 0", flags);
    standIn.gpu().init();
    return 0;
  }

  int cuDriverGetVersion(MemorySegment version) {
    HostMemory.putInt(version, standIn.gpu().settings().driverVersion());
    return 0;
  }

  int cuGetErrorName(int error, MemorySegment text) {
    return putText(names, error, text);
  }

  int cuGetErrorString(int error, MemorySegment text) {
    return putText(texts, error, text);
  }

  private static int putText(Map<Integer, MemorySegment> texts, int error, MemorySegment target) {
    MemorySegment text = texts.getOrDefault(error, MemorySegment.NULL);
    HostMemory.putPointer(target, text);
    StandInFault.require(
        text.address() != 0, CUDA_ERROR_INVALID_VALUE, "%s is not a code known here", error);
    return 0;
  }

  int cuDeviceGetCount(MemorySegment count) {
    standIn.gpu().requireInitialized();
    HostMemory.putInt(count, standIn.gpu().settings().numDevices());
    return 0;
  }

  int cuDeviceGet(MemorySegment device, int ordinal) {
    standIn.gpu().requireDevice(ordinal);
    HostMemory.putInt(device, ordinal);
    return 0;
  }

  int cuDeviceGetName(MemorySegment name, int capacity, int device) {
    standIn.gpu().requireDevice(device);
    HostMemory.putString(name, capacity, standIn.gpu().settings().deviceName());
    return 0;
  }

  int cuDeviceGetUuid_v2(MemorySegment uuid, int device) {
    standIn.gpu().requireDevice(device);
    MemorySegment.copy(
        UUID, 0, HostMemory.at(uuid, UUID.length, "uuid"), ValueLayout.JAVA_BYTE, 0, UUID.length);
    return 0;
  }

  int cuDeviceGetPCIBusId(MemorySegment id, int capacity, int device) {
    standIn.gpu().requireDevice(device);
    HostMemory.putString(id, capacity, "0000:00:00.0");
    return 0;
  }

  int cuDeviceTotalMem_v2(MemorySegment bytes, int device) {
    standIn.gpu().requireDevice(device);
    HostMemory.putLong(bytes, standIn.gpu().settings().totalBytes());
    return 0;
  }

  int cuDeviceGetAttribute(MemorySegment value, int attribute, int device) {
    standIn.gpu().requireDevice(device);
    Integer known = DeviceAttributes.of(standIn.gpu().settings()).get(attribute);
    StandInFault.require(
        known != null,
        CUDA_ERROR_INVALID_VALUE,
        "device attribute %s is not known here",
        attribute);
    HostMemory.putInt(value, known);
    return 0;
  }

  int cuDevicePrimaryCtxRetain(MemorySegment context, int device) {
    standIn.gpu().requireDevice(device);
    HostMemory.putPointer(context, standIn.gpu().retainPrimary());
    return 0;
  }

  int cuDevicePrimaryCtxRelease_v2(int device) {
    standIn.gpu().requireDevice(device);
    standIn.gpu().releasePrimary();
    return 0;
  }

  int cuDevicePrimaryCtxGetState(int device, MemorySegment flags, MemorySegment active) {
    standIn.gpu().requireDevice(device);
    HostMemory.putInt(flags, standIn.gpu().primaryFlags());
    HostMemory.putInt(active, standIn.gpu().primary() == null ? 0 : 1);
    return 0;
  }

  int cuDevicePrimaryCtxSetFlags_v2(int device, int flags) {
    standIn.gpu().requireDevice(device);
    standIn.gpu().setPrimaryFlags(flags);
    return 0;
  }

  int cuCtxSetCurrent(MemorySegment context) {
    standIn.gpu().requireInitialized();
    standIn.gpu().setCurrent(context);
    return 0;
  }

  int cuCtxGetCurrent(MemorySegment context) {
    standIn.gpu().requireInitialized();
    HostMemory.putPointer(context, standIn.gpu().currentHandle());
    return 0;
  }

  int cuCtxGetDevice(MemorySegment device) {
    standIn.gpu().context();
    HostMemory.putInt(device, 0);
    return 0;
  }

  int cuCtxGetStreamPriorityRange(MemorySegment least, MemorySegment greatest) {
    standIn.gpu().context();
    HostMemory.putInt(least, 0);
    HostMemory.putInt(greatest, StreamCalls.GREATEST_PRIORITY);
    return 0;
  }

  int cuCtxSynchronize() {
    SimulatedContext context = standIn.gpu().context();
    context.queues().rejectUnsafeDuringCapture("cuCtxSynchronize");
    context.queues().runAll();
    return 0;
  }
}
