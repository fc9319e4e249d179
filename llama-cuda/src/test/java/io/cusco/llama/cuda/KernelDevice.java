package io.cusco.llama.cuda;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.BlockQuantizer;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.standin.StandInSettings;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// A device for tests of kernels: arrays up, launches, arrays down. Buffers live until [#free].
public final class KernelDevice implements AutoCloseable {
  private final CudaContext context;
  private final CudaStream stream;
  private KernelModules modules;
  private final List<DeviceBuffer> buffers = new ArrayList<>();

  /// @param context must outlive this
  public KernelDevice(CudaContext context) {
    this.context = context;
    stream = CudaStream.create(context);
  }

  public CudaStream stream() {
    return stream;
  }

  /// The shipped kernels, each family loaded when it is first asked for: a driver takes seconds to
  /// translate them all.
  KernelModules modules() {
    if (modules == null) {
      modules = KernelModules.onDemand(context);
    }
    return modules;
  }

  public CudaContext context() {
    return context;
  }

  /// Memory that nothing has written, every byte 0xFF: the stand-in says so by itself, and knows
  /// what was read unwritten. A GPU would give the memory of an earlier test, right results in it.
  public DeviceBuffer output(long numBytes) {
    DeviceBuffer buffer = allocate(numBytes);
    if (!context.device().name().equals(StandInSettings.DEFAULT.deviceName())) {
      buffer.fill((byte) 0xFF);
    }
    return buffer;
  }

  private DeviceBuffer allocate(long numBytes) {
    DeviceBuffer buffer = DeviceBuffer.allocate(context, "output", numBytes);
    buffers.add(buffer);
    return buffer;
  }

  DeviceBuffer output(ActivationType type, long count) {
    return output(count * type.numBytes());
  }

  public DeviceBuffer upload(byte[] bytes) {
    return upload(MemorySegment.ofArray(bytes));
  }

  DeviceBuffer upload(int[] values) {
    return upload(MemorySegment.ofArray(values));
  }

  DeviceBuffer upload(ActivationType type, float[] values) {
    return upload(encode(type, values));
  }

  DeviceBuffer upload(MemorySegment from) {
    DeviceBuffer buffer = allocate(from.byteSize());
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(from.byteSize());
      host.copyFrom(from);
      buffer.copyFrom(host, 0);
    }
    return buffer;
  }

  public byte[] download(DeviceBuffer buffer) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(buffer.numBytes());
      buffer.copyTo(host, 0);
      return host.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  float[] download(ActivationType type, DeviceBuffer buffer) {
    return decode(type, download(buffer));
  }

  int[] downloadInts(DeviceBuffer buffer) {
    MemorySegment bytes = MemorySegment.ofArray(download(buffer));
    int[] values = new int[Math.toIntExact(buffer.numBytes() / Integer.BYTES)];
    MemorySegment.copy(bytes, ValueLayout.JAVA_INT_UNALIGNED, 0, values, 0, values.length);
    return values;
  }

  /// Frees all buffers made since the last call.
  public void free() {
    buffers.forEach(DeviceBuffer::close);
    buffers.clear();
  }

  @Override
  public void close() {
    free();
    if (modules != null) {
      modules.close();
    }
    stream.close();
  }

  /// The values that `values` become when stored as `type`.
  static float[] rounded(ActivationType type, float[] values) {
    return decode(type, encode(type, values));
  }

  static byte[] encode(ActivationType type, float[] values) {
    byte[] bytes = new byte[values.length * type.numBytes()];
    BlockQuantizer.quantize(dtype(type), values, 0, values.length, MemorySegment.ofArray(bytes), 0);
    return bytes;
  }

  static float[] decode(ActivationType type, byte[] bytes) {
    float[] values = new float[bytes.length / type.numBytes()];
    BlockFormats.dequantize(dtype(type), MemorySegment.ofArray(bytes), 0, values, 0, values.length);
    return values;
  }

  private static DType dtype(ActivationType type) {
    return switch (type) {
      case BF16 -> DType.BF16;
      case F16 -> DType.F16;
      case F32 -> DType.F32;
    };
  }

  /// A config in which only the widths that a test cares about matter.
  static LlamaConfig config(
      int hiddenSize, int intermediateSize, int heads, int kvHeads, int headDim, int vocabSize) {
    return new LlamaConfig(
        hiddenSize,
        intermediateSize,
        1,
        heads,
        kvHeads,
        headDim,
        vocabSize,
        4096,
        1e-5f,
        500_000,
        new RopeScaling.None(),
        false);
  }
}
