package io.cusco.llama.cuda.calibration;

import io.cusco.llama.cuda.calibration.CalibrationForm.Cell;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Every instruction form that is measured: what the shipped kernels use, and what else the
/// emulator knows.
///
/// Elementwise forms are lines of a table, `opcode = result inputs... [ulps]`, with a letter per
/// type. Division by zero is unspecified and left out by making divisors odd.
final class CalibrationForms {
  private static final String TYPES =
      """
      p PREDICATE   y B8   h B16   r B32   l B64
      x F16         b BF16 X F16X2 B BF16X2
      f F32         d F64
      """;

  private static final String INTEGER =
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
      """;

  private static final String FLOAT =
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
      lg2.approx.f32 = f f 4
      rsqrt.approx.f32 = f f 2
      rcp.approx.f32 = f f 1
      sqrt.approx.f32 = f f 2
      div.approx.f32 = f f f 2
      div.full.f32 = f f f 2
      """;

  private static final String CONVERT =
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
      cvt.rn.f64.s64 = d l
      cvt.rn.f64.u64 = d l
      cvt.f64.f32 = d f
      cvt.rn.f32.f64 = f d
      cvt.f32.f16 = f x
      cvt.rn.f16.f32 = x f
      cvt.rn.bf16.f32 = b f
      cvt.rn.bf16x2.f32 = B f f
      cvt.rn.f16x2.f32 = X f f
      cvt.rni.s32.f32 = r f
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
      """;

  /// Comparison operators of integers; bits know only the first two.
  private static final String[] INTEGER_COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"};

  private static final String[] FLOAT_COMPARISONS = {
    "eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"
  };

  private CalibrationForms() {}

  /// All forms, in a fixed order.
  static List<CalibrationForm> all() {
    List<CalibrationForm> forms = new ArrayList<>();
    for (String table : new String[] {INTEGER, FLOAT, CONVERT}) {
      table.lines().forEach(line -> forms.add(elementwise(line)));
    }
    addDivisions(forms);
    addMoves(forms);
    addComparisons(forms);
    addPredicates(forms);
    CalibrationWarpForms.addTo(forms);
    return List.copyOf(forms);
  }

  private static CalibrationForm elementwise(String line) {
    String[] words = line.split(" ");
    int ulps = 0;
    int end = words.length;
    if (Character.isDigit(words[end - 1].charAt(0))) {
      ulps = Integer.parseInt(words[--end]);
    }
    List<Cell> inputs = Arrays.stream(words, 3, end).map(CalibrationForms::cell).toList();
    StringBuilder body = new StringBuilder(words[0]).append(" %r0");
    for (int i = 0; i < inputs.size(); i++) {
      body.append(", %i").append(i);
    }
    return new CalibrationForm(words[0], List.of(cell(words[2])), inputs, body + ";", ulps);
  }

  private static Cell cell(String letter) {
    String[] words = TYPES.strip().split("\\s+");
    int at = Arrays.asList(words).indexOf(letter);
    return Cell.valueOf(words[at + 1]);
  }

  private static void addDivisions(List<CalibrationForm> forms) {
    for (String operation : new String[] {"div", "rem"}) {
      for (String type : new String[] {"s32", "u32", "s64", "u64"}) {
        Cell cell = type.endsWith("64") ? Cell.B64 : Cell.B32;
        String opcode = operation + "." + type;
        String body =
            "or.b%d %%i1, %%i1, 1;\n%s %%r0, %%i0, %%i1;".formatted(cell.numBytes() * 8, opcode);
        forms.add(new CalibrationForm(opcode, List.of(cell), List.of(cell, cell), body, 0));
      }
    }
    for (String table : new String[] {"0x00", "0x1b", "0x96", "0xca", "0xe8", "0xfe"}) {
      forms.add(
          new CalibrationForm(
              "lop3.b32 " + table,
              List.of(Cell.B32),
              List.of(Cell.B32, Cell.B32, Cell.B32),
              "lop3.b32 %r0, %i0, %i1, %i2, " + table + ";",
              0));
    }
  }

  /// Packing and unpacking of registers: which half is which.
  private static void addMoves(List<CalibrationForm> forms) {
    forms.add(move("mov.b32 pack", "r h h", "mov.b32 %r0, {%i0, %i1};"));
    forms.add(move("mov.b32 unpack", "h r", "mov.b32 {%r0, %r1}, %i0;", Cell.B16));
    forms.add(move("mov.b64 pack", "l r r", "mov.b64 %r0, {%i0, %i1};"));
    forms.add(move("mov.b64 unpack", "r l", "mov.b64 {%r0, %r1}, %i0;", Cell.B32));
    forms.add(move("mov.u32 register", "r r", "mov.u32 %r0, %i0;"));
    forms.add(move("mov.f32 register", "f f", "mov.f32 %r0, %i0;"));
    forms.add(move("mov.f32 immediate", "f f", "mov.f32 %r0, 0f3FB8AA3B;"));
    forms.add(move("mov.u64 register", "l l", "mov.u64 %r0, %i0;"));
    forms.add(move("mov.u16 register", "h h", "mov.u16 %r0, %i0;"));
    forms.add(move("selp.b32", "r r r p", select("b32")));
    forms.add(move("selp.b64", "l l l p", select("b64")));
    forms.add(move("selp.f32", "f f f p", select("f32")));
    forms.add(move("selp.u16", "h h h p", select("u16")));
  }

  private static String select(String type) {
    return "setp.ne.s32 %p, %i2, 0;\nselp." + type + " %r0, %i0, %i1, %p;";
  }

  private static CalibrationForm move(String name, String cells, String body, Cell... more) {
    List<Cell> all = Arrays.stream(cells.split(" ")).map(CalibrationForms::cell).toList();
    List<Cell> results = new ArrayList<>(List.of(all.getFirst()));
    results.addAll(Arrays.asList(more));
    return new CalibrationForm(name, results, all.subList(1, all.size()), body, 0);
  }

  private static void addComparisons(List<CalibrationForm> forms) {
    for (String type : new String[] {"s16", "u16", "s32", "u32", "s64", "u64"}) {
      Cell cell = type.endsWith("64") ? Cell.B64 : type.endsWith("16") ? Cell.B16 : Cell.B32;
      for (String comparison : INTEGER_COMPARISONS) {
        forms.add(comparison(comparison + "." + type, cell));
      }
    }
    for (String comparison : new String[] {"eq", "ne"}) {
      forms.add(comparison(comparison + ".b32", Cell.B32));
      forms.add(comparison(comparison + ".b64", Cell.B64));
    }
    for (String comparison : FLOAT_COMPARISONS) {
      forms.add(comparison(comparison + ".f32", Cell.F32));
    }
  }

  private static CalibrationForm comparison(String suffix, Cell cell) {
    String opcode = "setp." + suffix;
    return new CalibrationForm(
        opcode,
        List.of(Cell.PREDICATE),
        List.of(cell, cell),
        opcode + " %p, %i0, %i1;\nselp.u32 %r0, 1, 0, %p;",
        0);
  }

  private static void addPredicates(List<CalibrationForm> forms) {
    for (String opcode : new String[] {"and.pred", "or.pred", "xor.pred"}) {
      forms.add(
          new CalibrationForm(
              opcode,
              List.of(Cell.PREDICATE),
              List.of(Cell.PREDICATE, Cell.PREDICATE),
              """
              setp.ne.u32 %%p, %%i0, 0;
              setp.ne.u32 %%q, %%i1, 0;
              %s %%p, %%p, %%q;
              selp.u32 %%r0, 1, 0, %%p;
              """
                  .formatted(opcode),
              0));
    }
    forms.add(
        new CalibrationForm(
            "not.pred",
            List.of(Cell.PREDICATE),
            List.of(Cell.PREDICATE),
            "setp.ne.u32 %p, %i0, 0;\nnot.pred %p, %p;\nselp.u32 %r0, 1, 0, %p;",
            0));
  }
}
