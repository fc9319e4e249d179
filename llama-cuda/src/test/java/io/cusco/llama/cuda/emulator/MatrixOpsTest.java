package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Fragment layouts of `mma` and `ldmatrix`, with small integers so that every sum is exact.
class MatrixOpsTest {
  private static int a(int row, int k) {
    return (3 * row + 5 * k) % 7 - 3;
  }

  private static int b(int k, int column) {
    return (2 * k + 3 * column) % 5 - 2;
  }

  private static int element(boolean left, int i, int j, String type) {
    int value = left ? a(i, j) : b(i, j);
    return switch (type) {
      case "bf16" -> FloatBits.toBf16(value);
      case "f16" -> FloatBits.toF16(value);
      default -> value & 0xFF;
    };
  }

  @ParameterizedTest
  @CsvSource({
    "m16n8k16, bf16, f32",
    "m16n8k16, f16, f32",
    "m16n8k8, bf16, f32",
    "m16n8k8, f16, f32",
    "m16n8k16, s8, s32",
    "m16n8k32, s8, s32"
  })
  void fragmentsLieAsDocumented(String shape, String type, String sum) {
    int depth = Integer.parseInt(shape.substring(shape.indexOf('k') + 1));
    int per = type.equals("s8") ? 4 : 2;
    int numA = 16 * depth / 32 / per;
    int numB = 8 * depth / 32 / per;
    StringBuilder body =
        new StringBuilder("  ld.param.u64 %l1, [in];\n  ld.param.u64 %l2, [out];\n");
    body.append(
        "  mov.u32 %r0, %laneid;\n  mul.wide.u32 %l3, %r0, 48;\n  add.s64 %l1, %l1, %l3;\n");
    for (int i = 0; i < 6; i++) {
      body.append("  ld.global.u32 %%r%d, [%%l1+%d];\n".formatted(10 + i, 4 * i));
    }
    for (int i = 0; i < 4; i++) {
      body.append("  ld.global.u32 %%r%d, [%%l1+%d];\n".formatted(20 + i, 24 + 4 * i));
    }
    // The accumulator is the destination too.
    body.append(
        "  mma.sync.aligned.%s.row.col.%s.%s.%s.%s {%%r20,%%r21,%%r22,%%r23}, %s, %s, {%%r20,%%r21,%%r22,%%r23};\n"
            .formatted(shape, sum, type, type, sum, vector(10, numA), vector(14, numB)));
    body.append("  mul.wide.u32 %l3, %r0, 16;\n  add.s64 %l2, %l2, %l3;\n");
    body.append("  st.global.v4.u32 [%l2], {%r20,%r21,%r22,%r23};\n");
    EmulatedDevice device =
        new EmulatedDevice(
            EmulatedDevice.kernel(".param .u64 in, .param .u64 out", body.toString()),
            EmulatorOptions.checked(1));
    boolean floats = sum.equals("f32");
    int[] in = new int[32 * 12];
    for (int lane = 0; lane < 32; lane++) {
      int g = lane / 4;
      int t = lane % 4;
      for (int i = 0; i < numA; i++) {
        for (int part = 0; part < per; part++) {
          int k = per * t + part + 4 * per * (i / 2);
          in[12 * lane + i] |= element(true, g + 8 * (i % 2), k, type) << (32 / per * part);
        }
      }
      for (int i = 0; i < numB; i++) {
        for (int part = 0; part < per; part++) {
          int k = per * t + part + 4 * per * i;
          in[12 * lane + 4 + i] |= element(false, k, g, type) << (32 / per * part);
        }
      }
      for (int i = 0; i < 4; i++) {
        in[12 * lane + 6 + i] = floats ? Float.floatToRawIntBits(1000f + i) : 1000 + i;
      }
    }
    long out = device.empty(32 * 16);
    device.launch("test", LaunchConfig.of(1, 32, 0), device.ints(in), out);
    DeviceRange range = device.memory().range(out, 32 * 16, false, "test");
    for (int lane = 0; lane < 32; lane++) {
      for (int i = 0; i < 4; i++) {
        int expected = 1000 + i;
        for (int k = 0; k < depth; k++) {
          expected += a(lane / 4 + 8 * (i / 2), k) * b(k, 2 * (lane % 4) + i % 2);
        }
        int bits = range.getInt(16L * lane + 4L * i);
        assertThat(floats ? Float.intBitsToFloat(bits) : bits).isEqualTo(expected);
      }
    }
  }

  private static String vector(int first, int count) {
    StringBuilder text = new StringBuilder("{");
    for (int i = 0; i < count; i++) {
      text.append(i == 0 ? "" : ",").append("%r").append(first + i);
    }
    return text + "}";
  }

  @ParameterizedTest
  @CsvSource({"x1, false", "x2, false", "x4, false", "x1, true", "x4, true"})
  void ldmatrixSpreadsRowsOverLanes(String count, boolean transposed) {
    int matrices = count.charAt(1) - '0';
    // Element e of the 8 x 8 matrices, stored row after row, is e itself.
    String body =
        """
          ld.param.u64 %%l1, [out];
          mov.u32 %%r0, %%laneid;
          shl.b32 %%r1, %%r0, 4;
          mov.u32 %%r2, smem;
          add.s32 %%r2, %%r2, %%r1;
          shl.b32 %%r3, %%r0, 3;
          mov.b32 %%r4, 0;
        $L_fill:
          st.shared.u16 [%%r2], %%r3;
          add.s32 %%r3, %%r3, 1;
          add.s32 %%r2, %%r2, 2;
          add.s32 %%r4, %%r4, 1;
          setp.lt.s32 %%p1, %%r4, 8;
          @%%p1 bra $L_fill;
          bar.warp.sync -1;
          mov.u32 %%r2, smem;
          add.s32 %%r2, %%r2, %%r1;
          mov.b32 %%r11, 0;
          mov.b32 %%r12, 0;
          mov.b32 %%r13, 0;
          ldmatrix.sync.aligned.m8n8.%s%s.shared.b16 %s, [%%r2];
          mul.wide.u32 %%l2, %%r0, 16;
          add.s64 %%l1, %%l1, %%l2;
          st.global.v4.u32 [%%l1], {%%r10,%%r11,%%r12,%%r13};
        """
            .formatted(count, transposed ? ".trans" : "", vector(10, matrices));
    String ptx =
        EmulatedDevice.kernel(".param .u64 out", body)
            .replace(".reg .pred", ".shared .align 16 .b8 smem[512];\n  .reg .pred");
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    long out = device.empty(512);
    device.launch("test", LaunchConfig.of(1, 32, 0), out);
    DeviceRange range = device.memory().range(out, 512, false, "test");
    for (int lane = 0; lane < 32; lane++) {
      for (int i = 0; i < matrices; i++) {
        int row = transposed ? 2 * (lane % 4) : lane / 4;
        int column = transposed ? lane / 4 : 2 * (lane % 4);
        int first = 64 * i + 8 * row + column;
        int second = first + (transposed ? 8 : 1);
        assertThat(range.getInt(16L * lane + 4L * i)).isEqualTo(first | second << 16);
      }
    }
  }

  @Test
  void otherShapesAreRefused() {
    String ptx =
        EmulatedDevice.kernel(
            "",
            "  mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%l1,%l2}, {%l3}, {%l4}, {%l1,%l2};");
    assertThatThrownBy(() -> new EmulatedDevice(ptx, EmulatorOptions.checked(1)))
        .isInstanceOf(PtxException.class)
        .hasMessageContaining("kernel test: PTX line")
        .hasMessageContaining("not emulated");
  }
}
