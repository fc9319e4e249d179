package io.cusco.llama.cuda.calibration;

import io.cusco.llama.cuda.calibration.CalibrationForm.Cell;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// The forms in which lanes meet, or memory is more than a load: shuffles, votes, matrix loads and
/// products, asynchronous copies, atomics, widening loads. A block is one warp.
final class CalibrationWarpForms {
  private static final String FULL = "0xffffffff";

  private CalibrationWarpForms() {}

  static void addTo(List<CalibrationForm> forms) {
    addShuffles(forms);
    addVotes(forms);
    addReductions(forms);
    addMatrixLoads(forms);
    addMatrixProducts(forms);
    addAsynchronousCopies(forms);
    addAtomics(forms);
    addLoads(forms);
  }

  /// With the whole warp as one segment, and with segments of 8.
  private static void addShuffles(List<CalibrationForm> forms) {
    for (String mode : new String[] {"bfly", "idx", "up", "down"}) {
      int clamp = mode.equals("up") ? 0 : 31;
      for (int segments : new int[] {0, 0x1800}) {
        String opcode = "shfl.sync." + mode + ".b32";
        forms.add(
            new CalibrationForm(
                opcode + (segments == 0 ? "" : " segments of 8"),
                List.of(Cell.B32, Cell.PREDICATE),
                List.of(Cell.B32, Cell.B8),
                """
                and.b32 %%t0, %%i1, 31;
                %s %%r0|%%p, %%i0, %%t0, %d, %s;
                selp.u32 %%r1, 1, 0, %%p;
                """
                    .formatted(opcode, segments | clamp, FULL),
                0));
      }
    }
  }

  private static void addVotes(List<CalibrationForm> forms) {
    String condition = "setp.ne.u32 %p, %i0, 0;\n";
    // One warp in eight agrees, so that `all` and `uni` are seen both ways.
    String agreeing =
        "mov.u32 %t0, %ctaid.x;\nand.b32 %t0, %t0, 7;\nsetp.eq.u32 %q, %t0, 0;\nor.pred %p, %p, %q;\n";
    forms.add(
        vote("vote.sync.ballot.b32", condition + "vote.sync.ballot.b32 %r0, %p, " + FULL + ";"));
    for (String mode : new String[] {"all", "any", "uni"}) {
      String opcode = "vote.sync." + mode + ".pred";
      forms.add(
          vote(
              opcode,
              condition + agreeing + opcode + " %p, %p, " + FULL + ";\nselp.u32 %r0, 1, 0, %p;"));
    }
    forms.add(vote("activemask.b32", condition + "activemask.b32 %r0;"));
  }

  private static CalibrationForm vote(String name, String body) {
    return new CalibrationForm(name, List.of(Cell.B32), List.of(Cell.PREDICATE), body, 0);
  }

  private static void addReductions(List<CalibrationForm> forms) {
    for (String operation :
        new String[] {
          "add.s32", "min.s32", "max.s32", "add.u32", "min.u32", "max.u32", "xor.b32"
        }) {
      addReduction(forms, operation, "mov.u32 %t0, %i0;");
    }
    // Of 32 random words nothing is left: all lanes but one give the neutral word.
    String oneLane = "mov.u32 %t1, %ctaid.x;\nsetp.eq.u32 %p, %t1, %lane;\nselp.b32 %t0, %i0, ";
    addReduction(forms, "and.b32", oneLane + "-1, %p;");
    addReduction(forms, "or.b32", oneLane + "0, %p;");
    // Few values, so that lanes match.
    forms.add(
        new CalibrationForm(
            "match.any.sync.b32",
            List.of(Cell.B32),
            List.of(Cell.B32),
            "and.b32 %t0, %i0, 3;\nmatch.any.sync.b32 %r0, %t0, " + FULL + ";",
            0));
    forms.add(
        new CalibrationForm(
            "match.all.sync.b32",
            List.of(Cell.B32, Cell.PREDICATE),
            List.of(Cell.PREDICATE),
            """
            mov.u32 %%t0, %%ctaid.x;
            and.b32 %%t0, %%t0, 7;
            setp.eq.u32 %%q, %%t0, 0;
            selp.u32 %%t1, 0, %%i0, %%q;
            match.all.sync.b32 %%r0|%%p, %%t1, %s;
            selp.u32 %%r1, 1, 0, %%p;
            """
                .formatted(FULL),
            0));
  }

  private static void addReduction(List<CalibrationForm> forms, String operation, String operand) {
    String opcode = "redux.sync." + operation;
    forms.add(
        new CalibrationForm(
            opcode,
            List.of(Cell.B32),
            List.of(Cell.B32),
            operand + "\n" + opcode + " %r0, %t0, " + FULL + ";",
            0));
  }

  /// Lanes store 16 bytes each, which are the rows of up to four 8x8 matrices.
  private static void addMatrixLoads(List<CalibrationForm> forms) {
    for (int matrices : new int[] {1, 2, 4}) {
      for (String trans : new String[] {"", ".trans"}) {
        String opcode = "ldmatrix.sync.aligned.m8n8.x" + matrices + trans + ".shared.b16";
        forms.add(
            new CalibrationForm(
                opcode,
                Collections.nCopies(matrices, Cell.B32),
                Collections.nCopies(4, Cell.B32),
                """
                shl.b32 %%t0, %%lane, 4;
                add.s32 %%t0, %%smem, %%t0;
                st.shared.v4.u32 [%%t0], {%%i0, %%i1, %%i2, %%i3};
                bar.sync 0;
                %s {%s}, [%%t0];
                """
                    .formatted(opcode, registers("%r", 0, matrices)),
                0));
      }
    }
  }

  /// Integers small enough that every order of summation is exact, which pins the layout; and
  /// values near one, which show how sums are rounded.
  private static void addMatrixProducts(List<CalibrationForm> forms) {
    for (int depth : new int[] {8, 16}) {
      addMatrixProduct(forms, depth, "bf16", Cell.BF16X2_INTEGER, Cell.BF16X2_NEAR_ONE);
      addMatrixProduct(forms, depth, "f16", Cell.F16X2_INTEGER, Cell.F16X2_NEAR_ONE);
    }
    for (String types : new String[] {"s8.s8", "u8.u8", "s8.u8"}) {
      addByteProduct(forms, 16, types);
      addByteProduct(forms, 32, types);
    }
  }

  private static void addMatrixProduct(
      List<CalibrationForm> forms, int depth, String type, Cell integer, Cell nearOne) {
    String opcode = "mma.sync.aligned.m16n8k%d.row.col.f32.%s.%s.f32".formatted(depth, type, type);
    int registers = depth / 4;
    // As many addends as there are products and one more, each of which a tensor core may cut to
    // the largest one's last bit.
    forms.add(product(opcode, " integers", registers, integer, Cell.F32_INTEGER, Cell.F32, 0));
    forms.add(
        product(opcode, " near one", registers, nearOne, Cell.F32_NEAR_ONE, Cell.F32, depth + 1));
  }

  private static void addByteProduct(List<CalibrationForm> forms, int depth, String types) {
    String opcode = "mma.sync.aligned.m16n8k%d.row.col.s32.%s.s32".formatted(depth, types);
    forms.add(product(opcode, "", depth / 8, Cell.B32, Cell.B32, Cell.B32, 0));
  }

  /// @param registers of the left factor; the right one has half as many
  private static CalibrationForm product(
      String opcode, String remark, int registers, Cell factor, Cell addend, Cell sum, int ulps) {
    int factors = registers + registers / 2;
    List<Cell> inputs = new ArrayList<>(Collections.nCopies(factors, factor));
    inputs.addAll(Collections.nCopies(4, addend));
    String body =
        "%s {%s}, {%s}, {%s}, {%s};"
            .formatted(
                opcode,
                registers("%r", 0, 4),
                registers("%i", 0, registers),
                registers("%i", registers, factors),
                registers("%i", factors, factors + 4));
    return new CalibrationForm(opcode + remark, Collections.nCopies(4, sum), inputs, body, ulps);
  }

  private static String registers(String prefix, int from, int to) {
    return IntStream.range(from, to).mapToObj(i -> prefix + i).collect(Collectors.joining(", "));
  }

  /// From the lane's own input row; the cells are 8 bytes apart.
  private static void addAsynchronousCopies(List<CalibrationForm> forms) {
    addAsynchronousCopy(forms, "cp.async.cg.shared.global", "16");
    addAsynchronousCopy(forms, "cp.async.ca.shared.global", "16");
    addAsynchronousCopy(forms, "cp.async.ca.shared.global", "8");
    addAsynchronousCopy(forms, "cp.async.ca.shared.global", "4");
    addAsynchronousCopy(forms, "cp.async.cg.shared.global", "16, 8");
    addAsynchronousCopy(forms, "cp.async.cg.shared.global", "16, 0");
  }

  private static void addAsynchronousCopy(
      List<CalibrationForm> forms, String opcode, String sizes) {
    forms.add(
        new CalibrationForm(
            opcode + " " + sizes,
            List.of(Cell.B64, Cell.B64),
            List.of(Cell.B64, Cell.B64),
            """
            shl.b32 %%t0, %%lane, 4;
            add.s32 %%t0, %%smem, %%t0;
            mov.u64 %%u1, -1;
            st.shared.v2.u64 [%%t0], {%%u1, %%u1};
            %s [%%t0], [%%rows], %s;
            cp.async.commit_group;
            cp.async.wait_group 0;
            ld.shared.v2.u64 {%%r0, %%r1}, [%%t0];
            """
                .formatted(opcode, sizes),
            0));
  }

  /// Each lane on a word of its own: the old value and what is left.
  private static void addAtomics(List<CalibrationForm> forms) {
    for (String operation :
        new String[] {
          "add.u32",
          "add.f32",
          "min.s32",
          "max.s32",
          "min.u32",
          "max.u32",
          "and.b32",
          "or.b32",
          "xor.b32",
          "exch.b32"
        }) {
      Cell cell = operation.endsWith("f32") ? Cell.F32 : Cell.B32;
      forms.add(
          atomic(
              "atom.shared." + operation, cell, "atom.shared." + operation + " %r0, [%t0], %i1;"));
    }
    for (String operation : new String[] {"add.u32", "add.f32", "max.u32", "exch.b32"}) {
      Cell cell = operation.endsWith("f32") ? Cell.F32 : Cell.B32;
      // The second cell of the lane's output row is the word; it is stored over with its own value.
      forms.add(
          atomicForm(
              "atom.global." + operation,
              cell,
              """
              st.global.u32 [%%out+8], %%i0;
              atom.global.%s %%r0, [%%out+8], %%i1;
              ld.global.u32 %%r1, [%%out+8];
              """
                  .formatted(operation)));
    }
    forms.add(
        new CalibrationForm(
            "atom.shared.cas.b32",
            List.of(Cell.B32, Cell.B32),
            List.of(Cell.PREDICATE, Cell.PREDICATE, Cell.B32),
            atomicBody("atom.shared.cas.b32 %r0, [%t0], %i1, %i2;"),
            0));
  }

  private static CalibrationForm atomic(String name, Cell cell, String instruction) {
    return atomicForm(name, cell, atomicBody(instruction));
  }

  private static CalibrationForm atomicForm(String name, Cell cell, String body) {
    return new CalibrationForm(name, List.of(cell, cell), List.of(cell, cell), body, 0);
  }

  private static String atomicBody(String instruction) {
    return """
    shl.b32 %%t0, %%lane, 2;
    add.s32 %%t0, %%smem, %%t0;
    st.shared.u32 [%%t0], %%i0;
    %s
    ld.shared.u32 %%r1, [%%t0];
    """
        .formatted(instruction);
  }

  /// How loads widen what they read into a larger register.
  private static void addLoads(List<CalibrationForm> forms) {
    for (String type : new String[] {"u8", "s8", "u16", "s16"}) {
      for (String cache : new String[] {"", "nc."}) {
        String opcode = "ld.global." + cache + type;
        forms.add(
            new CalibrationForm(
                opcode, List.of(Cell.B32), List.of(Cell.B32), opcode + " %r0, [%rows];", 0));
      }
      forms.add(
          new CalibrationForm(
              "ld.shared." + type,
              List.of(Cell.B32),
              List.of(Cell.B32),
              """
              shl.b32 %%t0, %%lane, 2;
              add.s32 %%t0, %%smem, %%t0;
              st.shared.u32 [%%t0], %%i0;
              ld.shared.%s %%r0, [%%t0];
              """
                  .formatted(type),
              0));
    }
    for (String vector : new String[] {"v2.u32", "v2.f32", "v4.u32", "v4.f32", "v2.u64"}) {
      int count = vector.charAt(1) - '0';
      Cell cell = vector.endsWith("64") ? Cell.B64 : Cell.B32;
      String registers = count == 2 ? "{%r0, %r1}" : "{%r0, %r1, %r2, %r3}";
      for (String cache : new String[] {"", "nc."}) {
        String opcode = "ld.global." + cache + vector;
        forms.add(
            new CalibrationForm(
                opcode,
                Collections.nCopies(count, cell),
                // 16-byte rows or more, so that every row is aligned for every vector.
                List.of(Cell.B64, Cell.B64),
                opcode + " " + registers + ", [%rows];",
                0));
      }
      String opcode = "ld.shared." + vector;
      forms.add(
          new CalibrationForm(
              opcode,
              Collections.nCopies(count, cell),
              List.of(Cell.B64, Cell.B64),
              """
              shl.b32 %%t0, %%lane, 4;
              add.s32 %%t0, %%smem, %%t0;
              st.shared.v2.u64 [%%t0], {%%i0, %%i1};
              %s %s, [%%t0];
              """
                  .formatted(opcode, registers),
              0));
    }
  }
}
