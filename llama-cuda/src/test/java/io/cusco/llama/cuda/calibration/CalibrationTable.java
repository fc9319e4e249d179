package io.cusco.llama.cuda.calibration;

/// The elementwise instruction forms, `opcode = result inputs... [ulps]`; a letter per type:
///
/// ```
/// p PREDICATE   y B8   h B16   r B32   l B64
/// x F16         b BF16 X F16X2 B BF16X2
/// f F32         d F64   n F32_NEAR_ONE
/// ```
///
/// Distances of approximate functions are those of the PTX ISA, rounded up to whole units in the
/// last place. Not here: lg2.approx and rsqrt.approx, which no kernel uses and whose error the ISA
/// does not bound in such units. Divisors of div.approx are those for which it promises something.
final class CalibrationTable {
  private CalibrationTable() {}

  static final String INTEGER =
      """
      add.s16 = h h h
      add.s32 = r r r
      add.u32 = r r r
      add.s64 = l l l
      sub.s16 = h h h
      sub.s32 = r r r
      sub.s64 = l l l
      mul.lo.s16 = h h h
      mul.lo.s32 = r r r
      mul.lo.u32 = r r r
      mul.lo.s64 = l l l
      mul.hi.s32 = r r r
      mul.hi.u32 = r r r
      mul.hi.u64 = l l l
      mul.wide.s16 = r h h
      mul.wide.u16 = r h h
      mul.wide.s32 = l r r
      mul.wide.u32 = l r r
      mad.lo.s32 = r r r r
      mad.lo.s64 = l l l l
      mad.wide.s32 = l r r l
      mad.wide.u32 = l r r l
      min.s32 = r r r
      min.u32 = r r r
      min.s64 = l l l
      min.u64 = l l l
      max.s32 = r r r
      max.u32 = r r r
      max.s64 = l l l
      max.u64 = l l l
      neg.s32 = r r
      neg.s64 = l l
      abs.s32 = r r
      and.b16 = h h h
      and.b32 = r r r
      and.b64 = l l l
      or.b16 = h h h
      or.b32 = r r r
      or.b64 = l l l
      xor.b16 = h h h
      xor.b32 = r r r
      xor.b64 = l l l
      not.b16 = h h
      not.b32 = r r
      not.b64 = l l
      shl.b16 = h h y
      shl.b32 = r r y
      shl.b64 = l l y
      shr.u16 = h h y
      shr.s16 = h h y
      shr.u32 = r r y
      shr.s32 = r r y
      shr.u64 = l l y
      shr.s64 = l l y
      shf.l.wrap.b32 = r r r y
      shf.r.wrap.b32 = r r r y
      shf.l.clamp.b32 = r r r y
      shf.r.clamp.b32 = r r r y
      bfe.u32 = r r y y
      bfe.s32 = r r y y
      bfe.u64 = l l y y
      bfe.s64 = l l y y
      bfi.b32 = r r r y y
      bfi.b64 = l l l y y
      brev.b32 = r r
      brev.b64 = l l
      clz.b32 = r r
      clz.b64 = r l
      popc.b32 = r r
      popc.b64 = r l
      bfind.u32 = r r
      bfind.s32 = r r
      bfind.shiftamt.u32 = r r
      bfind.shiftamt.s32 = r r
      prmt.b32 = r r r r
      dp4a.s32.s32 = r r r r
      dp4a.u32.u32 = r r r r
      mul.hi.s64 = l l l
      mad.lo.u32 = r r r r
      mad.hi.s32 = r r r r
      min.s16 = h h h
      max.u16 = h h h
      neg.s16 = h h
      abs.s64 = l l
      cnot.b32 = r r
      sad.s32 = r r r r
      sad.u32 = r r r r
      mul24.lo.s32 = r r r
      mul24.lo.u32 = r r r
      mad24.lo.s32 = r r r r
      bfind.u64 = r l
      bfind.s64 = r l
      dp4a.s32.u32 = r r r r
      dp4a.u32.s32 = r r r r
      slct.b32.s32 = r r r r
      slct.f32.f32 = f f f f
      set.lt.u32.f32 = r f f
      set.ge.s32.s32 = r r r
      """;

  static final String FLOAT =
      """
      add.f32 = f f f
      add.rn.f32 = f f f
      sub.f32 = f f f
      sub.rn.f32 = f f f
      mul.f32 = f f f
      mul.rn.f32 = f f f
      fma.rn.f32 = f f f f
      div.rn.f32 = f f f
      rcp.rn.f32 = f f
      sqrt.rn.f32 = f f
      min.f32 = f f f
      max.f32 = f f f
      neg.f32 = f f
      abs.f32 = f f
      add.f64 = d d d
      sub.f64 = d d d
      mul.f64 = d d d
      fma.rn.f64 = d d d d
      ex2.approx.f32 = f f 2
      rcp.approx.f32 = f f 1
      sqrt.approx.f32 = f f 2
      div.approx.f32 = f f n 2
      div.full.f32 = f f f 2
      add.rz.f32 = f f f
      add.rm.f32 = f f f
      add.rp.f32 = f f f
      sub.rz.f32 = f f f
      sub.rm.f32 = f f f
      sub.rp.f32 = f f f
      mul.rz.f32 = f f f
      mul.rm.f32 = f f f
      mul.rp.f32 = f f f
      fma.rz.f32 = f f f f
      fma.rm.f32 = f f f f
      fma.rp.f32 = f f f f
      add.sat.f32 = f f f
      mul.sat.f32 = f f f
      fma.rn.sat.f32 = f f f f
      min.NaN.f32 = f f f
      max.NaN.f32 = f f f
      copysign.f32 = f f f
      ex2.approx.ftz.f32 = f f 2
      tanh.approx.f32 = f f 8300
      div.rn.f64 = d d d
      rcp.rn.f64 = d d
      sqrt.rn.f64 = d d
      min.f64 = d d d
      max.f64 = d d d
      neg.f64 = d d
      abs.f64 = d d
      add.f16 = x x x
      sub.f16 = x x x
      mul.f16 = x x x
      fma.rn.f16 = x x x x
      fma.rn.bf16 = b b b b
      min.f16 = x x x
      max.f16 = x x x
      min.bf16 = b b b
      max.bf16 = b b b
      neg.f16 = x x
      abs.f16 = x x
      neg.bf16 = b b
      abs.bf16 = b b
      add.f16x2 = X X X
      mul.f16x2 = X X X
      fma.rn.f16x2 = X X X X
      fma.rn.bf16x2 = B B B B
      max.f16x2 = X X X
      max.bf16x2 = B B B
      """;

  static final String CONVERT =
      """
      cvt.s64.s32 = l r
      cvt.u64.u32 = l r
      cvt.s64.s16 = l h
      cvt.u64.u16 = l h
      cvt.u32.u64 = r l
      cvt.u16.u32 = h r
      cvt.u32.u16 = r h
      cvt.s32.s16 = r h
      cvt.s32.s8 = r r
      cvt.u32.u8 = r r
      cvt.s16.s8 = h h
      cvt.u16.u8 = h h
      cvt.rn.f32.s32 = f r
      cvt.rn.f32.u32 = f r
      cvt.rn.f32.s16 = f h
      cvt.rn.f32.u16 = f h
      cvt.rn.f32.s64 = f l
      cvt.rn.f32.u64 = f l
      cvt.rn.f64.s32 = d r
      cvt.rn.f64.u32 = d r
      cvt.rn.f64.s64 = d l
      cvt.rn.f64.u64 = d l
      cvt.f64.f32 = d f
      cvt.rn.f32.f64 = f d
      cvt.rp.f32.f64 = f d
      cvt.f32.f16 = f x
      cvt.rn.f16.f32 = x f
      cvt.rn.bf16.f32 = b f
      cvt.rn.bf16x2.f32 = B f f
      cvt.rn.f16x2.f32 = X f f
      cvt.rni.s32.f32 = r f
      cvt.rni.u32.f32 = r f
      cvt.rzi.s32.f32 = r f
      cvt.rmi.s32.f32 = r f
      cvt.rpi.s32.f32 = r f
      cvt.rzi.u32.f32 = r f
      cvt.rzi.s64.f32 = l f
      cvt.rzi.u64.f32 = l f
      cvt.rmi.f32.f32 = f f
      cvt.rpi.f32.f32 = f f
      cvt.rzi.f32.f32 = f f
      cvt.rni.f32.f32 = f f
      cvt.rz.f32.s32 = f r
      cvt.rm.f32.s32 = f r
      cvt.rp.f32.u32 = f r
      cvt.rn.f16.s32 = x r
      cvt.rn.f16.s16 = x h
      cvt.rz.f16.f32 = x f
      cvt.rz.bf16.f32 = b f
      cvt.rn.relu.bf16.f32 = b f
      cvt.rn.relu.f16x2.f32 = X f f
      cvt.rz.bf16x2.f32 = B f f
      cvt.sat.f32.f32 = f f
      cvt.f64.f16 = d x
      cvt.rni.s32.f16 = r x
      cvt.rzi.s32.f64 = r d
      cvt.rni.s32.f64 = r d
      cvt.rzi.u32.f64 = r d
      cvt.rzi.s64.f64 = l d
      cvt.rzi.u64.f64 = l d
      cvt.rni.s16.f32 = h f
      cvt.rzi.u16.f32 = h f
      cvt.rni.s8.f32 = r f
      cvt.rzi.u8.f32 = r f
      cvt.sat.s8.s32 = r r
      cvt.sat.u8.s32 = r r
      cvt.sat.s16.s32 = h r
      cvt.sat.u16.s32 = h r
      cvt.sat.s32.s64 = r l
      """;

  /// What came with compute capability 8.9.
  static final String FP8 =
      """
      cvt.rn.satfinite.e4m3x2.f32 = h f f
      cvt.rn.satfinite.e4m3x2.f16x2 = h X
      cvt.rn.f16x2.e4m3x2 = X h
      """;
}
