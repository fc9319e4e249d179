package io.cusco.llama.cuda.calibration;

import java.util.List;

/// One instruction form and the kernel that measures it: every thread takes one row of inputs, runs
/// the instruction once, and writes one row of results.
///
/// ```
/// input  row: [ cell 0 | cell 1 | ... ]     8 bytes a cell, the value in its low bytes
/// output row: [ cell 0 | ... ]              8 bytes a cell, unwritten bytes zero
/// ```
///
/// @param name the form, as PTX spells the opcode; with a remark behind a space where one opcode is
///   measured in several ways
/// @param results what each output cell holds, in registers `%r0`, `%r1`, ...
/// @param inputs what each input cell holds, in registers `%i0`, `%i1`, ...
/// @param body the statements between loads and stores; `%t0..%t7` (b32), `%u0..%u3` (b64), `%p`,
///   `%q` (predicates), `%lane` (b32), `%smem` (b32, a block's 2 KiB of shared memory, 16-byte
///   aligned), `%rows` and `%out` (b64, addresses of this thread's rows) are at its disposal
/// @param ulps how far hardware may be from the correctly rounded result; 0 for forms whose bits
///   are defined
record CalibrationForm(String name, List<Cell> results, List<Cell> inputs, String body, int ulps) {

  CalibrationForm {
    results = List.copyOf(results);
    inputs = List.copyOf(inputs);
  }

  /// The type of a cell: register width and, for inputs, which values are worth trying.
  enum Cell {
    PREDICATE(4),
    B8(4),
    B16(2),
    B32(4),
    B64(8),
    F16(2),
    BF16(2),
    F16X2(4),
    BF16X2(4),
    F32(4),
    F64(8),
    /// bf16 pairs, f16 pairs and floats near one: sums of products that do not cancel.
    BF16X2_NEAR_ONE(4),
    F16X2_NEAR_ONE(4),
    F32_NEAR_ONE(4),
    /// The same in small integers, whose sums are exact in any order.
    BF16X2_INTEGER(4),
    F16X2_INTEGER(4),
    F32_INTEGER(4);

    private final int numBytes;

    Cell(int numBytes) {
      this.numBytes = numBytes;
    }

    int numBytes() {
      return numBytes;
    }

    /// Whether results of this type are compared as float32: every NaN equals every other.
    boolean isFloat32() {
      return this == F32 || this == F32_NEAR_ONE || this == F32_INTEGER;
    }

    String register() {
      return ".b" + numBytes * 8;
    }
  }

  /// Threads of a block: one warp.
  static final int BLOCK = 32;

  static final int CELL_BYTES = 8;

  /// The opcode with its modifiers.
  String opcode() {
    int space = name.indexOf(' ');
    return space < 0 ? name : name.substring(0, space);
  }

  /// The oldest architecture that has the instruction, as 89 of `sm_89`.
  int architecture() {
    return name.contains("e4m3") ? 89 : 80;
  }

  int inputRowBytes() {
    return inputs.size() * CELL_BYTES;
  }

  int outputRowBytes() {
    return results.size() * CELL_BYTES;
  }

  /// The kernel `kernelName(inputs, outputs)`.
  String kernel(String kernelName) {
    StringBuilder text = new StringBuilder();
    text.append("// ").append(name).append('\n');
    text.append(".visible .entry ").append(kernelName);
    text.append("(\n\t.param .u64 inputs,\n\t.param .u64 outputs\n)\n.maxntid 32, 1, 1\n{\n");
    text.append("\t.reg .b32 %t<8>;\n\t.reg .b64 %u<4>;\n\t.reg .pred %p, %q;\n");
    text.append("\t.reg .b32 %lane, %smem, %row;\n\t.reg .b64 %rows, %out;\n");
    if (body.contains("%smem")) {
      text.append("\t.shared .align 16 .b8 shared_bytes[2048];\n");
    }
    declare(text, inputs, "%i");
    declare(text, results, "%r");
    text.append("\tmov.u32 %lane, %tid.x;\n\tmov.u32 %row, %ctaid.x;\n");
    text.append("\tmad.lo.s32 %row, %row, 32, %lane;\n");
    text.append("\tld.param.u64 %rows, [inputs];\n\tld.param.u64 %out, [outputs];\n");
    text.append("\tcvta.to.global.u64 %rows, %rows;\n\tcvta.to.global.u64 %out, %out;\n");
    text.append("\tmul.wide.u32 %u0, %row, ").append(inputRowBytes()).append(";\n");
    text.append("\tadd.s64 %rows, %rows, %u0;\n");
    text.append("\tmul.wide.u32 %u0, %row, ").append(outputRowBytes()).append(";\n");
    text.append("\tadd.s64 %out, %out, %u0;\n");
    if (body.contains("%smem")) {
      text.append("\tmov.u32 %smem, shared_bytes;\n");
    }
    for (int i = 0; i < inputs.size(); i++) {
      text.append(
          "\tld.global.u%d %%i%d, [%%rows+%d];\n"
              .formatted(inputs.get(i).numBytes() * 8, i, i * CELL_BYTES));
    }
    body.strip().lines().forEach(line -> text.append('\t').append(line.strip()).append('\n'));
    for (int i = 0; i < results.size(); i++) {
      text.append(
          "\tst.global.u%d [%%out+%d], %%r%d;\n"
              .formatted(results.get(i).numBytes() * 8, i * CELL_BYTES, i));
    }
    return text.append("\tret;\n}\n\n").toString();
  }

  private static void declare(StringBuilder text, List<Cell> cells, String prefix) {
    for (int i = 0; i < cells.size(); i++) {
      text.append("\t.reg %s %s%d;\n".formatted(cells.get(i).register(), prefix, i));
    }
  }

  @Override
  public String toString() {
    return name;
  }
}
