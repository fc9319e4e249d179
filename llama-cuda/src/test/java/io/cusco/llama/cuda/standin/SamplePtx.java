package io.cusco.llama.cuda.standin;

/// Small kernels, written by hand for the stand-in's own tests.
final class SamplePtx {
  private SamplePtx() {}

  private static final String HEADER =
      """
      .version 7.0
      .target sm_80
      .address_size 64
      """;

  /// `axpy(x, y, a, n)`: `y[i] += a * x[i]` for i below n, blocks of at most 256 threads.
  static final String AXPY =
      HEADER
          + """
          .visible .entry axpy(
            .param .u64 axpy_x,
            .param .u64 axpy_y,
            .param .f32 axpy_a,
            .param .u32 axpy_n
          )
          .maxntid 256, 1, 1
          {
            .reg .pred %p<2>;
            .reg .f32 %f<5>;
            .reg .b32 %r<6>;
            .reg .b64 %rd<8>;
            ld.param.u64 %rd1, [axpy_x];
            ld.param.u64 %rd2, [axpy_y];
            ld.param.f32 %f1, [axpy_a];
            ld.param.u32 %r1, [axpy_n];
            mov.u32 %r2, %ctaid.x;
            mov.u32 %r3, %ntid.x;
            mov.u32 %r4, %tid.x;
            mad.lo.s32 %r5, %r2, %r3, %r4;
            setp.ge.s32 %p1, %r5, %r1;
            @%p1 bra DONE;
            cvta.to.global.u64 %rd3, %rd1;
            cvta.to.global.u64 %rd4, %rd2;
            mul.wide.s32 %rd5, %r5, 4;
            add.s64 %rd6, %rd3, %rd5;
            ld.global.f32 %f2, [%rd6];
            add.s64 %rd7, %rd4, %rd5;
            ld.global.f32 %f3, [%rd7];
            fma.rn.f32 %f4, %f1, %f2, %f3;
            st.global.f32 [%rd7], %f4;
          DONE:
            ret;
          }
          """;

  /// `reverse(x)`: one block reverses as many floats as it has threads, through dynamic shared
  /// memory of 4 bytes per thread.
  static final String REVERSE =
      HEADER
          + """
          .extern .shared .align 16 .b8 scratch[];
          .visible .entry reverse(
            .param .u64 reverse_x
          )
          {
            .reg .b32 %r<10>;
            .reg .b64 %rd<6>;
            ld.param.u64 %rd1, [reverse_x];
            cvta.to.global.u64 %rd2, %rd1;
            mov.u32 %r1, %tid.x;
            mov.u32 %r2, %ntid.x;
            mul.wide.u32 %rd3, %r1, 4;
            add.s64 %rd4, %rd2, %rd3;
            ld.global.u32 %r3, [%rd4];
            mov.u32 %r4, scratch;
            shl.b32 %r5, %r1, 2;
            add.s32 %r6, %r4, %r5;
            st.shared.u32 [%r6], %r3;
            bar.sync 0;
            sub.s32 %r7, %r2, %r1;
            shl.b32 %r7, %r7, 2;
            add.s32 %r8, %r4, %r7;
            ld.shared.u32 %r9, [%r8+-4];
            st.global.u32 [%rd4], %r9;
            ret;
          }
          """;

  /// `scaleByFactor(x)`: one block multiplies `x[i]` by the module's variable `factor`.
  static final String FACTOR =
      HEADER
          + """
          .visible .global .align 4 .f32 factor = 0f40400000;
          .visible .entry scaleByFactor(
            .param .u64 scale_x
          )
          {
            .reg .f32 %f<4>;
            .reg .b32 %r<2>;
            .reg .b64 %rd<5>;
            ld.param.u64 %rd1, [scale_x];
            cvta.to.global.u64 %rd2, %rd1;
            mov.u32 %r1, %tid.x;
            mul.wide.u32 %rd3, %r1, 4;
            add.s64 %rd4, %rd2, %rd3;
            ld.global.f32 %f1, [%rd4];
            ld.global.f32 %f2, [factor];
            mul.f32 %f3, %f1, %f2;
            st.global.f32 [%rd4], %f3;
            ret;
          }
          """;
}
