package io.cusco.llama.cuda.emulator;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// What the emulator's own tests need around an emulator: buffers from Java arrays, launches with
/// arguments in order.
final class EmulatedDevice {
  private final DeviceMemory memory = new DeviceMemory(256L << 20);
  private final PtxEmulator emulator;
  private final PtxModule module;
  private final LoadedModule loaded;

  EmulatedDevice(String ptx, EmulatorOptions options) {
    emulator = new PtxEmulator(memory, options);
    module = PtxModule.parse("test.ptx", ptx);
    loaded = emulator.load(module);
  }

  /// The text of a test resource beside these classes.
  static String resource(String name) {
    try (InputStream stream = EmulatedDevice.class.getResourceAsStream(name)) {
      if (stream == null) {
        throw new IllegalArgumentException("no resource " + name);
      }
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  DeviceMemory memory() {
    return memory;
  }

  PtxEmulator emulator() {
    return emulator;
  }

  LoadedModule loaded() {
    return loaded;
  }

  /// Uninitialised bytes.
  long empty(long numBytes) {
    return memory.allocate(numBytes);
  }

  long floats(float... values) {
    long address = memory.allocate(values.length * 4L);
    DeviceRange range = memory.range(address, values.length * 4L, true, "test");
    for (int i = 0; i < values.length; i++) {
      range.setFloat(4L * i, values[i]);
    }
    return address;
  }

  long ints(int... values) {
    long address = memory.allocate(values.length * 4L);
    DeviceRange range = memory.range(address, values.length * 4L, true, "test");
    for (int i = 0; i < values.length; i++) {
      range.setInt(4L * i, values[i]);
    }
    return address;
  }

  long bytes(byte... values) {
    long address = memory.allocate(values.length);
    DeviceRange range = memory.range(address, values.length, true, "test");
    for (int i = 0; i < values.length; i++) {
      range.setByte(i, values[i]);
    }
    return address;
  }

  /// Values that have to be bfloat16 already.
  long bfloat16s(float... values) {
    long address = memory.allocate(values.length * 2L);
    DeviceRange range = memory.range(address, values.length * 2L, true, "test");
    for (int i = 0; i < values.length; i++) {
      range.setShort(2L * i, (short) (Float.floatToRawIntBits(values[i]) >>> 16));
    }
    return address;
  }

  float[] floatsAt(long address, int count) {
    float[] values = new float[count];
    memory.range(address, count * 4L, false, "test").getFloats(0, values, 0, count);
    return values;
  }

  float[] bfloat16sAt(long address, int count) {
    float[] values = new float[count];
    memory.range(address, count * 2L, false, "test").getBfloat16s(0, values, 0, count);
    return values;
  }

  int intAt(long address) {
    return memory.range(address, 4, false, "test").getInt(0);
  }

  /// Launches a kernel with its arguments in order: [Long], [Integer] or [Float].
  void launch(String kernelName, LaunchConfig config, Object... arguments) {
    PtxKernel kernel = module.kernel(kernelName);
    List<PtxParameter> parameters = kernel.parameters();
    if (parameters.size() != arguments.length) {
      throw new IllegalArgumentException(kernelName + " takes " + parameters);
    }
    ByteBuffer packed = ByteBuffer.allocate(kernel.parameterBytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < arguments.length; i++) {
      packed.position(parameters.get(i).offset());
      switch (arguments[i]) {
        case Long value -> packed.putLong(value);
        case Integer value -> packed.putInt(value);
        case Float value -> packed.putFloat(value);
        default -> throw new IllegalArgumentException("argument " + arguments[i]);
      }
    }
    emulator.launch(loaded, kernel, config, packed.array());
  }

  /// A kernel of one parameter block around instructions, with registers of every kind.
  static String kernel(String parameters, String body) {
    return """
    .version 7.0
    .target sm_80
    .address_size 64
    .visible .entry test(%s)
    {
      .reg .pred %%p<20>;
      .reg .b16 %%h<20>;
      .reg .b32 %%r<40>;
      .reg .b64 %%l<40>;
    %s
      ret;
    }
    """
        .formatted(parameters, body);
  }
}
