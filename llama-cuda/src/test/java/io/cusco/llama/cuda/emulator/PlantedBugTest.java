package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.cusco.llama.cuda.emulator.DeviceFault.Kind;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/// The bugs that GPU code has, planted one by one: each has to end in a fault, and the fault has to
/// name the instruction, its line in the PTX and the thread.
///
/// The seventeenth bug of this kind, a host that forgets to synchronise, is the stand-in driver's
/// to catch.
class PlantedBugTest {
  private static final String SAMPLES = EmulatedDevice.resource("samples.ptx");
  private static final String ATTENTION = EmulatedDevice.resource("attention.ptx");
  private static final Pattern PLACE =
      Pattern.compile(
          "(\\w+): PTX line (\\d+): `(.*?)`: (thread|warp) \\d+ of block \\d+: .*seed.*");

  /// Replaces the n-th (from 0) occurrence of a text within a kernel, keeping lines as they are.
  private static String change(String ptx, String kernel, String text, int n, String by) {
    int at = ptx.indexOf(".entry " + kernel + "(");
    assertThat(at).as(kernel).isPositive();
    for (int i = 0; i <= n; i++) {
      at = ptx.indexOf(text, at + 1);
      assertThat(at).as(text).isPositive();
    }
    return ptx.substring(0, at) + by + ptx.substring(at + text.length());
  }

  /// Runs what has to fail, and checks that the message leads to an instruction that begins like
  /// this.
  private static DeviceFault fault(String ptx, Runnable launch, String instruction, Kind... kinds) {
    DeviceFault fault = catchThrowableOfType(DeviceFault.class, launch::run);
    assertThat(fault).as("the bug passed").isNotNull();
    assertThat(List.of(kinds)).as(fault.getMessage()).contains(fault.kind());
    Matcher place = PLACE.matcher(fault.getMessage());
    assertThat(place.matches()).as(fault.getMessage()).isTrue();
    String line = ptx.lines().toList().get(Integer.parseInt(place.group(2)) - 1);
    assertThat(line.replaceAll("\\s+", " ")).contains(place.group(3));
    assertThat(place.group(3)).startsWith(instruction);
    return fault;
  }

  private static float[] ones(int count) {
    float[] ones = new float[count];
    Arrays.fill(ones, 1f);
    return ones;
  }

  private static void rmsNorm(String ptx, int seed) {
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(seed));
    long x = device.bfloat16s(ones(512));
    long y = device.empty(1024);
    device.launch("rms_norm", LaunchConfig.of(1, 256, 0), x, x, y, 512, 1e-5f);
  }

  private static void prefill(String ptx) {
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(3));
    long x = device.bfloat16s(ones(160 * 64));
    LaunchConfig config = new LaunchConfig(3, 1, 1, 128, 1, 1, 0);
    long out = device.empty(160 * 64 * 2);
    device.launch("attention_prefill", config, x, x, x, out, 160, 1, 0.125f);
  }

  @Test
  void noBarrierBeforePartialSumsAreRead() {
    String ptx = change(SAMPLES, "rms_norm", "bar.sync", 0, "// bar.sync");
    fault(ptx, () -> rmsNorm(ptx, 1), "ld.shared", Kind.UNINITIALISED_READ, Kind.RACE);
  }

  @Test
  void noBarrierAfterTheScaleIsWritten() {
    String ptx = change(SAMPLES, "rms_norm", "bar.sync", 1, "// bar.sync");
    for (int seed = 0; seed < 8; seed++) {
      int order = seed;
      DeviceFault fault = catchThrowableOfType(DeviceFault.class, () -> rmsNorm(ptx, order));
      assertThat(fault).isNotNull();
      assertThat(fault.kind()).isIn(Kind.UNINITIALISED_READ, Kind.RACE);
      assertThat(fault).hasMessageContaining("ld.shared").hasMessageContaining("seed " + order);
    }
  }

  @Test
  void fullMaskShuffleUnderDivergence() {
    String ptx =
        EmulatedDevice.kernel(
            "",
            """
              mov.u32 %r1, %tid.x;
              setp.gt.u32 %p1, %r1, 15;
              @%p1 bra $L_high;
              shfl.sync.bfly.b32 %r2, %r1, 1, 31, -1;
              bra $L_end;
            $L_high:
              shfl.sync.bfly.b32 %r3, %r1, 2, 31, -1;
            $L_end:
            """);
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    DeviceFault fault =
        fault(
            ptx,
            () -> device.launch("test", LaunchConfig.of(1, 32, 0)),
            "shfl.sync.bfly.b32",
            Kind.DIVERGENT_SYNC);
    assertThat(fault)
        .hasMessageContaining("lanes 0-15 wait at")
        .hasMessageContaining("lanes 16-31 wait at");
  }

  private static final String BARRIER_IN_BOTH_ARMS =
      EmulatedDevice.kernel(
          "",
          """
            mov.u32 %r1, %tid.x;
            setp.gt.u32 %p1, %r1, 31;
            and.b32 %r2, %r1, 1;
            setp.eq.u32 %p2, %r2, 0;
            @GUARD bra $L_other;
            bar.sync 0;
            bra $L_end;
          $L_other:
            bar.sync 0;
          $L_end:
          """);

  @Test
  void barriersInBothArmsOfABranchWithinAWarp() {
    String ptx = BARRIER_IN_BOTH_ARMS.replace("GUARD", "%p2");
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    fault(
        ptx,
        () -> device.launch("test", LaunchConfig.of(1, 64, 0)),
        "bar.sync",
        Kind.DIVERGENT_BARRIER);
  }

  @Test
  void barriersInBothArmsOfABranchBetweenWarps() {
    String ptx = BARRIER_IN_BOTH_ARMS.replace("GUARD", "%p1");
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    fault(
        ptx,
        () -> device.launch("test", LaunchConfig.of(1, 64, 0)),
        "bar.sync",
        Kind.DIVERGENT_BARRIER);
  }

  @Test
  void earlyReturnBeforeABarrier() {
    String ptx =
        EmulatedDevice.kernel(
            ".param .u32 count",
            """
              ld.param.u32 %r1, [count];
              mov.u32 %r2, %tid.x;
              setp.ge.u32 %p1, %r2, %r1;
              @%p1 ret;
              bar.sync 0;
            """);
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    device.launch("test", LaunchConfig.of(1, 64, 0), 64);
    for (int count : new int[] {32, 50}) {
      DeviceFault fault =
          fault(
              ptx,
              () -> device.launch("test", LaunchConfig.of(1, 64, 0), count),
              "bar.sync",
              Kind.DIVERGENT_BARRIER);
      assertThat(fault).hasMessageContaining(64 - count + " of 64 threads have exited");
    }
  }

  @Test
  void boundOfTheGridNotChecked() {
    String ptx = change(SAMPLES, "silu_mul", "setp.ge.s32", 0, "setp.lt.s32");
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    long x = device.bfloat16s(ones(13 * 8));
    long y = device.empty(13 * 16);
    DeviceFault fault =
        fault(
            ptx,
            () -> device.launch("silu_mul", LaunchConfig.of(1, 32, 0), x, x, y, 13),
            "ld.global",
            Kind.ILLEGAL_ADDRESS);
    assertThat(fault.cuResult()).isEqualTo(700);
    assertThat(fault)
        .hasMessageContaining("16 bytes past the end of allocation 1 (208 bytes at 0x7f")
        .hasMessageContaining("thread 13 of block 0");
  }

  @Test
  void endlessLoop() {
    String ptx = EmulatedDevice.kernel("", "$L_again:\n  add.s32 %r1, %r1, 1;\n  bra $L_again;");
    EmulatedDevice device =
        new EmulatedDevice(ptx, EmulatorOptions.checked(1).withInstructionBudget(10_000));
    DeviceFault fault =
        catchThrowableOfType(
            DeviceFault.class, () -> device.launch("test", LaunchConfig.of(1, 32, 0)));
    assertThat(fault.kind()).isEqualTo(Kind.INSTRUCTION_BUDGET);
    assertThat(fault.cuResult()).isEqualTo(702);
  }

  @Test
  void vectorAccessToRowsOfFiftyValues() {
    EmulatedDevice device = new EmulatedDevice(SAMPLES, EmulatorOptions.checked(1));
    long x = device.bfloat16s(ones(50 * 8));
    long y = device.empty(50 * 16);
    DeviceFault fault =
        fault(
            SAMPLES,
            () -> device.launch("silu_mul", LaunchConfig.of(1, 32, 0), x + 100, x, y, 6),
            "ld.global",
            Kind.MISALIGNED);
    assertThat(fault.cuResult()).isEqualTo(716);
  }

  @Test
  void blockOf1056Threads() {
    EmulatedDevice device = new EmulatedDevice(SAMPLES, EmulatorOptions.checked(1));
    DeviceFault fault =
        catchThrowableOfType(
            DeviceFault.class,
            () -> device.launch("silu_mul", LaunchConfig.of(1, 1056, 0), 0L, 0L, 0L, 6));
    assertThat(fault.kind()).isEqualTo(Kind.INVALID_LAUNCH);
    fault =
        catchThrowableOfType(
            DeviceFault.class,
            () -> device.launch("rms_norm", LaunchConfig.of(1, 512, 0), 0L, 0L, 0L, 6, 1e-5f));
    assertThat(fault).hasMessageContaining("at most 256 threads per block, not 512");
  }

  @Test
  void twoTokensWithOneSlot() {
    String ptx =
        EmulatedDevice.kernel(
            ".param .u64 cache, .param .u64 slots",
            """
              ld.param.u64 %l1, [cache];
              ld.param.u64 %l2, [slots];
              mov.u32 %r1, %ctaid.x;
              mul.wide.u32 %l3, %r1, 4;
              add.s64 %l3, %l2, %l3;
              ld.global.nc.u32 %r2, [%l3];
              shl.b32 %r2, %r2, 5;
              mov.u32 %r3, %tid.x;
              add.s32 %r2, %r2, %r3;
              mul.wide.s32 %l4, %r2, 4;
              add.s64 %l4, %l1, %l4;
              st.global.u32 [%l4], %r1;
            """);
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    long cache = device.empty(4 * 128);
    LaunchConfig config = LaunchConfig.of(3, 32, 0);
    device.launch("test", config, cache, device.ints(2, 0, 1));
    DeviceFault fault =
        fault(
            ptx,
            () -> device.launch("test", config, cache, device.ints(2, 0, 2)),
            "st.global.u32",
            Kind.RACE);
    assertThat(fault).hasMessageContaining("write-after-write");
  }

  @Test
  void asynchronousCopyWithoutWait() {
    String one = change(ATTENTION, "attention_prefill", "cp.async.wait_group", 0, "// ");
    String ptx = change(one, "attention_prefill", "cp.async.wait_group", 0, "// ");
    fault(ptx, () -> prefill(ptx), "ldmatrix", Kind.UNINITIALISED_READ);
  }

  @Test
  void waitForTheWrongGroup() {
    String ptx = change(ATTENTION, "attention_prefill", "wait_group 1", 0, "wait_group 2");
    fault(ptx, () -> prefill(ptx), "ldmatrix", Kind.UNINITIALISED_READ);
  }

  @Test
  void waitBehindTheBarrier() {
    String ptx =
        change(
            change(SAMPLES, "reverse_tiles", "cp.async.wait_all", 0, "bar.sync 0"),
            "reverse_tiles",
            "bar.sync \t0",
            0,
            "cp.async.wait_all");
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    long x = device.floats(ones(256));
    long y = device.empty(1024);
    fault(
        ptx,
        () -> device.launch("reverse_tiles", LaunchConfig.of(1, 64, 1024), x, y),
        "ld.shared",
        Kind.RACE,
        Kind.UNINITIALISED_READ);
  }

  @Test
  void noBarrierBeforeTheDoubleBufferIsRefilled() {
    String ptx = change(ATTENTION, "attention_prefill", "bar.sync", 1, "// bar.sync");
    fault(ptx, () -> prefill(ptx), "", Kind.UNINITIALISED_READ, Kind.RACE);
  }

  @Test
  void sharedMemoryReusedWithoutBarrier() {
    String ptx = change(SAMPLES, "radix_select", "bar.sync", 2, "// bar.sync");
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    long x = device.floats(ones(300));
    long threshold = device.empty(4);
    fault(
        ptx,
        () -> device.launch("radix_select", LaunchConfig.of(1, 256, 0), x, 300, 3, threshold),
        "",
        Kind.RACE);
  }

  @Test
  void dynamicSharedMemoryTooSmall() {
    EmulatedDevice device = new EmulatedDevice(SAMPLES, EmulatorOptions.checked(1));
    long x = device.floats(ones(512));
    long y = device.empty(2048);
    DeviceFault fault =
        fault(
            SAMPLES,
            () -> device.launch("reverse_tiles", LaunchConfig.of(1, 128, 1024), x, y),
            "cp.async.ca.shared.global",
            Kind.ILLEGAL_ADDRESS);
    assertThat(fault).hasMessageContaining("of shared memory of 1024 bytes");
  }

  @Test
  void argumentsInTheWrongOrder() {
    EmulatedDevice device = new EmulatedDevice(SAMPLES, EmulatorOptions.checked(1));
    long x = device.floats(ones(300));
    long threshold = device.empty(4);
    // As the driver would take them: the bytes in the order in which the caller wrote them.
    fault(
        SAMPLES,
        () ->
            device.launch(
                "radix_select",
                LaunchConfig.of(1, 256, 0),
                (300L | 3L << 32),
                (int) x,
                (int) (x >>> 32),
                threshold),
        "ld.global",
        Kind.ILLEGAL_ADDRESS);
  }

  @Test
  void freedBuffer() {
    EmulatedDevice device = new EmulatedDevice(SAMPLES, EmulatorOptions.checked(1));
    long x = device.bfloat16s(ones(64));
    long y = device.empty(128);
    device.memory().free(x);
    fault(
        SAMPLES,
        () -> device.launch("silu_mul", LaunchConfig.of(1, 32, 0), x, x, y, 8),
        "ld.global",
        Kind.USE_AFTER_FREE);
  }

  @Test
  void decodeReadsOneKeyTooFar() {
    String one = change(ATTENTION, "attention_decode", "setp.ge.s32", 0, "setp.gt.s32");
    String ptx = change(one, "attention_decode", "setp.lt.s32", 0, "setp.le.s32");
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    // Three pages for 37 tokens; the slots behind them have never been written.
    long pool = device.empty(3 * 16 * 64 * 2);
    device.memory().fillShorts(pool, (short) 0x3f80, 37 * 64);
    long q = device.bfloat16s(ones(2 * 64));
    long table = device.ints(0, 1, 2);
    long lengths = device.ints(37);
    long partial = device.empty(2 * 64 * 4);
    long weight = device.empty(16);
    LaunchConfig config = new LaunchConfig(1, 1, 1, 128, 1, 1, 0);
    fault(
        ptx,
        () ->
            device.launch(
                "attention_decode",
                config,
                q,
                pool,
                pool,
                table,
                lengths,
                partial,
                weight,
                3,
                2,
                0.125f),
        "ld.global",
        Kind.UNINITIALISED_READ);
  }
}
