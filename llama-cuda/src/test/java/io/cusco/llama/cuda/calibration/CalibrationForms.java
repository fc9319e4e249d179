package io.cusco.llama.cuda.calibration;

import io.cusco.llama.cuda.calibration.CalibrationForm.Cell;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Every instruction form that is measured: what the shipped kernels use, and what else the
/// emulator knows.
///
/// Division by zero is unspecified and left out by making divisors odd.
final class CalibrationForms {
  /// Comparison operators of integers; bits know only the first two.
  private static final String[] INTEGER_COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"};

  private static final String[] FLOAT_COMPARISONS = {
    "eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"
  };

  private CalibrationForms() {}

  /// All forms that a device of this compute capability has, in a fixed order.
  ///
  /// @param architecture as 90 for compute capability 9.0
  static List<CalibrationForm> of(int architecture) {
    return all().stream().filter(form -> form.architecture() <= architecture).toList();
  }

  /// All forms, in a fixed order.
  static List<CalibrationForm> all() {
    List<CalibrationForm> forms = new ArrayList<>();
    CalibrationTable.FP8.lines().forEach(line -> forms.add(elementwise(line)));
    for (String table :
        new String[] {CalibrationTable.INTEGER, CalibrationTable.FLOAT, CalibrationTable.CONVERT}) {
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
    return switch (letter) {
      case "p" -> Cell.PREDICATE;
      case "y" -> Cell.B8;
      case "h" -> Cell.B16;
      case "r" -> Cell.B32;
      case "l" -> Cell.B64;
      case "x" -> Cell.F16;
      case "b" -> Cell.BF16;
      case "X" -> Cell.F16X2;
      case "B" -> Cell.BF16X2;
      case "f" -> Cell.F32;
      case "d" -> Cell.F64;
      case "n" -> Cell.F32_NEAR_ONE;
      default -> throw new IllegalArgumentException("no type has the letter " + letter);
    };
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
    forms.add(move("selp.f64", "d d d p", select("f64")));
    forms.add(move("selp.u32", "r r r p", select("u32")));
    forms.add(move("selp.u64", "l l l p", select("u64")));
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
      forms.add(comparison(comparison + ".f64", Cell.F64));
    }
    for (String kind :
        new String[] {"finite", "infinite", "number", "notanumber", "normal", "subnormal"}) {
      String opcode = "testp." + kind + ".f32";
      forms.add(
          new CalibrationForm(
              opcode,
              List.of(Cell.PREDICATE),
              List.of(Cell.F32),
              opcode + " %p, %i0;\nselp.u32 %r0, 1, 0, %p;",
              0));
    }
    for (String combined : new String[] {"lt.and", "ge.or", "eq.xor"}) {
      String opcode = "setp." + combined + ".s32";
      forms.add(
          new CalibrationForm(
              opcode,
              List.of(Cell.PREDICATE),
              List.of(Cell.B32, Cell.B32, Cell.PREDICATE),
              "setp.ne.u32 %q, %i2, 0;\n" + opcode + " %p, %i0, %i1, %q;\nselp.u32 %r0, 1, 0, %p;",
              0));
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
    for (String opcode : new String[] {"not.pred", "mov.pred"}) {
      forms.add(
          new CalibrationForm(
              opcode,
              List.of(Cell.PREDICATE),
              List.of(Cell.PREDICATE),
              "setp.ne.u32 %p, %i0, 0;\n" + opcode + " %q, %p;\nselp.u32 %r0, 1, 0, %q;",
              0));
    }
  }
}
