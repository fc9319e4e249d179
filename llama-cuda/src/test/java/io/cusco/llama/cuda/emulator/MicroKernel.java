package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;

/// Runs one instruction on given inputs, by a full warp and by a part of one, which take different
/// loops.
///
/// Input i is in `%l<i>` (64 bits), `%r<i>` (its lower 32), `%h<i>` (its lower 16) and `%p<i>`
/// (whether it is not zero). The instruction writes one of `%l30`, `%r30`, `%h15` and `%p15`.
final class MicroKernel {
  private MicroKernel() {}

  /// The destination register, zero-extended.
  static long run(String instruction, long... inputs) {
    return run(80, instruction, inputs);
  }

  /// The same in a module for `sm_89`.
  static long run89(String instruction, long... inputs) {
    return run(89, instruction, inputs);
  }

  private static long run(int target, String instruction, long... inputs) {
    StringBuilder body = new StringBuilder("  ld.param.u64 %l31, [out];\n");
    for (int i = 0; i < inputs.length; i++) {
      body.append("  ld.param.u64 %l").append(i).append(", [in").append(i).append("];\n");
      body.append("  cvt.u32.u64 %r").append(i).append(", %l").append(i).append(";\n");
      body.append("  cvt.u16.u64 %h").append(i).append(", %l").append(i).append(";\n");
      body.append("  setp.ne.s64 %p").append(i).append(", %l").append(i).append(", 0;\n");
    }
    body.append("  ").append(instruction).append(";\n");
    if (instruction.contains("%r30")) {
      body.append("  cvt.u64.u32 %l30, %r30;\n");
    } else if (instruction.contains("%h15")) {
      body.append("  cvt.u64.u16 %l30, %h15;\n");
    } else if (instruction.contains("%p15")) {
      body.append("  selp.b64 %l30, 1, 0, %p15;\n");
    }
    body.append("  mov.u32 %r31, %laneid;\n  mul.wide.u32 %l32, %r31, 8;\n");
    body.append("  add.s64 %l31, %l31, %l32;\n  st.global.u64 [%l31], %l30;\n");
    StringBuilder parameters = new StringBuilder(".param .u64 out");
    for (int i = 0; i < inputs.length; i++) {
      parameters.append(", .param .u64 in").append(i);
    }
    String ptx = EmulatedDevice.kernel(parameters.toString(), body.toString());
    ptx = ptx.replace(".target sm_80", ".target sm_" + target);
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    long out = device.empty(8 * 32);
    Object[] arguments = new Object[inputs.length + 1];
    arguments[0] = out;
    for (int i = 0; i < inputs.length; i++) {
      arguments[i + 1] = inputs[i];
    }
    device.launch("test", LaunchConfig.of(1, 7, 0), arguments);
    long partial = device.memory().range(out, 8 * 32, false, "test").getLong(8 * 6);
    device.launch("test", LaunchConfig.of(1, 32, 0), arguments);
    long full = device.memory().range(out, 8 * 32, false, "test").getLong(8 * 31);
    assertThat(full).as("full and partial warp agree").isEqualTo(partial);
    return full;
  }

  /// Runs one line of a table: `instruction | inputs in hex | result in hex`.
  static void check(String instruction, String inputs, String expected) {
    String[] words = inputs == null ? new String[0] : inputs.strip().split(" +", -1);
    long[] values = new long[words.length];
    for (int i = 0; i < words.length; i++) {
      values[i] = Long.parseUnsignedLong(words[i], 16);
    }
    assertThat(Long.toHexString(run(instruction, values)))
        .as("%s of %s", instruction, inputs)
        .isEqualTo(expected);
  }
}
