package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;

/// Instructions in which lanes see each other, run by one warp whose lane i starts with `%r0 = 100
/// + i`.
class WarpOpsTest {
  /// What each lane has in `%r30` afterwards, and in the upper half whether `%p15` holds.
  private static long[] run(String body) {
    return run(body, 32);
  }

  private static long[] run(String body, int numThreads) {
    String ptx =
        EmulatedDevice.kernel(
            ".param .u64 out",
            """
              ld.param.u64 %l31, [out];
              mov.u32 %r31, %laneid;
              mul.wide.u32 %l32, %r31, 8;
              add.s64 %l31, %l31, %l32;
              add.s32 %r0, %r31, 100;
              setp.ne.s32 %p15, %r31, %r31;
            """
                + body
                + """

                  selp.b32 %r32, 1, 0, %p15;
                  st.global.v2.u32 [%l31], {%r30, %r32};
                """);
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    long out = device.empty(8 * 32);
    device.memory().fillBytes(out, (byte) 0, 8 * 32);
    device.launch("test", LaunchConfig.of(1, numThreads, 0), out);
    long[] result = new long[32];
    DeviceRange range = device.memory().range(out, 8 * 32, false, "test");
    for (int lane = 0; lane < 32; lane++) {
      result[lane] = range.getLong(8L * lane);
    }
    return result;
  }

  private static void expect(String body, IntUnaryOperator value) {
    long[] actual = run(body);
    for (int lane = 0; lane < 32; lane++) {
      assertThat((int) actual[lane]).as("lane %d", lane).isEqualTo(value.applyAsInt(lane));
    }
  }

  @Test
  void shuffles() {
    expect("shfl.sync.bfly.b32 %r30|%p15, %r0, 5, 31, -1;", lane -> 100 + (lane ^ 5));
    expect("shfl.sync.idx.b32 %r30, %r0, 7, 31, -1;", _ -> 107);
    expect("shfl.sync.down.b32 %r30, %r0, 4, 31, -1;", lane -> lane < 28 ? 104 + lane : 100 + lane);
    // The bound of up is the lowest lane: 0.
    expect("shfl.sync.up.b32 %r30, %r0, 4, 0, -1;", lane -> lane < 4 ? 100 + lane : 96 + lane);
    // Segments of eight lanes: (32 - 8) << 8 beside the clamp.
    expect("shfl.sync.idx.b32 %r30, %r0, 3, 6175, -1;", lane -> 100 + (lane & 24) + 3);
    expect("shfl.sync.bfly.b32 %r0, %r0, 1, 31, -1; mov.b32 %r30, %r0;", lane -> 100 + (lane ^ 1));
  }

  @Test
  void shufflesTellWhetherTheSourceWasInTheSegment() {
    long[] actual = run("shfl.sync.down.b32 %r30|%p15, %r0, 1, 31, -1;");
    assertThat(actual[30] >>> 32).isEqualTo(1);
    assertThat(actual[31] >>> 32).isZero();
  }

  @Test
  void shuffleFromALaneOutsideTheMaskIsAFault() {
    String body =
        """
          setp.lt.u32 %p1, %r31, 16;
          @%p1 shfl.sync.idx.b32 %r30, %r0, 20, 31, 0xffff;
        """;
    assertThatThrownBy(() -> run(body))
        .isInstanceOf(DeviceFault.class)
        .hasMessageContaining("shuffle from lane 20");
  }

  @Test
  void halvesOfAWarpMaySynchroniseSeparately() {
    String body =
        """
          setp.lt.u32 %p1, %r31, 16;
          selp.b32 %r1, 0xffff, 0xffff0000, %p1;
          shfl.sync.bfly.b32 %r30, %r0, 8, 31, %r1;
        """;
    expect(body, lane -> 100 + (lane ^ 8));
  }

  @Test
  void lanesThatCannotArriveAreNamed() {
    assertThatThrownBy(() -> run("shfl.sync.idx.b32 %r30, %r0, 0, 31, -1;", 20))
        .hasMessageContaining("lanes 20-31 do not exist");
    assertThatThrownBy(
            () -> run("setp.gt.u32 %p1, %r31, 3; @%p1 ret; bar.warp.sync -1; mov.b32 %r30, 0;"))
        .hasMessageContaining("lanes 4-31 have exited");
    assertThatThrownBy(
            () -> run("setp.gt.u32 %p1, %r31, 3; @%p1 bar.warp.sync -1; mov.b32 %r30, 0;"))
        .hasMessageContaining("lanes 0-3 skip it by its guard");
    assertThatThrownBy(() -> run("bar.warp.sync 1; mov.b32 %r30, 0;"))
        .hasMessageContaining("leaves out the executing lane");
  }

  @Test
  void waitingLanesHearThatOthersExited() {
    String body =
        """
          setp.gt.u32 %p1, %r31, 3;
          @%p1 bra $L_out;
          bar.warp.sync -1;
          mov.b32 %r30, 0;
          bra $L_end;
        $L_out:
          ret;
        $L_end:
        """;
    assertThatThrownBy(() -> run(body)).hasMessageContaining("lanes 4-31 have exited");
  }

  @Test
  void votes() {
    String some = "setp.gt.u32 %p1, %r31, 29; ";
    expect(some + "vote.sync.ballot.b32 %r30, %p1, -1;", _ -> 0xC000_0000);
    expect(some + "vote.sync.ballot.b32 %r30, !%p1, -1;", _ -> 0x3FFF_FFFF);
    String select = "selp.b32 %r30, 1, 0, %p2;";
    expect(some + "vote.sync.any.pred %p2, %p1, -1; " + select, _ -> 1);
    expect(some + "vote.sync.all.pred %p2, %p1, -1; " + select, _ -> 0);
    expect(some + "vote.sync.uni.pred %p2, %p1, -1; " + select, _ -> 0);
  }

  @Test
  void matches() {
    String body = "shr.u32 %r1, %r31, 3; match.any.sync.b32 %r30, %r1, -1;";
    expect(body, lane -> 0xff << (lane & 24));
    expect("match.all.sync.b32 %r30|%p15, %r0, -1;", _ -> 0);
    long[] same = run("mov.b64 %l1, 9; match.all.sync.b64 %r30|%p15, %l1, -1;");
    assertThat(same[3]).isEqualTo(0x1_FFFF_FFFFL);
  }

  @Test
  void reductions() {
    expect("redux.sync.add.s32 %r30, %r0, -1;", _ -> 3200 + 496);
    expect("redux.sync.max.u32 %r30, %r0, -1;", _ -> 131);
    expect("neg.s32 %r1, %r0; redux.sync.min.s32 %r30, %r1, -1;", _ -> -131);
    expect("redux.sync.xor.b32 %r30, %r31, -1;", _ -> 0);
    expect("redux.sync.or.b32 %r30, %r31, -1;", _ -> 31);
  }

  @Test
  void activeMaskFollowsDivergence() {
    String body =
        """
          setp.lt.u32 %p1, %r31, 5;
          @%p1 bra $L_low;
          activemask.b32 %r30;
          bra $L_end;
        $L_low:
          activemask.b32 %r30;
        $L_end:
        """;
    expect(body, lane -> lane < 5 ? 31 : ~31);
  }

  @Test
  void fragmentsMeetBehindABranch() {
    // Without reconvergence the shuffle could not name all lanes.
    String body =
        """
          mov.b32 %r1, 0;
        $L_loop:
          add.s32 %r1, %r1, 1;
          setp.lt.u32 %p1, %r1, %r31;
          @%p1 bra $L_loop;
          shfl.sync.idx.b32 %r30, %r1, 9, 31, -1;
        """;
    expect(body, _ -> 9);
  }

  @Test
  void indexedBranches() {
    String body =
        """
          and.b32 %r1, %r31, 3;
        $L_table:
          .branchtargets $L_a, $L_b, $L_a, $L_c;
          brx.idx %r1, $L_table;
        $L_a:
          mov.b32 %r30, 10;
          bra.uni $L_end;
        $L_b:
          mov.b32 %r30, 11;
          bra.uni $L_end;
        $L_c:
          mov.b32 %r30, 12;
        $L_end:
        """;
    int[] expected = {10, 11, 10, 12};
    expect(body, lane -> expected[lane & 3]);
  }

  @Test
  void barriersThatReduce() {
    expect("setp.lt.u32 %p1, %r31, 5; bar.red.popc.u32 %r30, 0, %p1;", _ -> 5);
    expect("setp.lt.u32 %p1, %r31, 5; bar.red.popc.u32 %r30, 0, !%p1;", _ -> 27);
    String select = "selp.b32 %r30, 1, 0, %p2;";
    expect("setp.lt.u32 %p1, %r31, 5; bar.red.or.pred %p2, 0, %p1; " + select, _ -> 1);
    expect("setp.lt.u32 %p1, %r31, 5; bar.red.and.pred %p2, 0, %p1; " + select, _ -> 0);
  }

  @Test
  void specialRegistersOfLanes() {
    expect("mov.u32 %r30, %lanemask_lt;", lane -> (1 << lane) - 1);
    expect("mov.u32 %r30, %lanemask_ge;", lane -> -(1 << lane));
  }
}
