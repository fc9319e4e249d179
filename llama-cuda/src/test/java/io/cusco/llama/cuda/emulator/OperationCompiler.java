package io.cusco.llama.cuda.emulator;

/// Finds the family that compiles an instruction.
final class OperationCompiler {
  /// An operation and how its warp has to be gathered.
  ///
  /// @param synchronous whether all lanes that it names have to execute it together
  /// @param members slot of the member mask, or [Step#ALL_LANES]
  record Compiled(Operation operation, boolean synchronous, int members) {
    static Compiled of(Operation operation) {
      return new Compiled(operation, false, 0);
    }
  }

  private OperationCompiler() {}

  static Compiled compile(Form form) {
    return switch (form.opcode()) {
      case "mov", "cvta", "isspacep" -> Compiled.of(MoveOps.compile(form));
      case "add", "sub", "mul", "div", "min", "max", "neg", "abs", "fma", "mad" ->
          Compiled.of(arithmetic(form));
      case "rem",
          "and",
          "or",
          "xor",
          "not",
          "cnot",
          "shl",
          "shr",
          "bfi",
          "bfe",
          "bfind",
          "brev",
          "clz",
          "popc",
          "prmt",
          "lop3",
          "shf",
          "sad",
          "dp4a",
          "dp2a",
          "mul24",
          "mad24" ->
          Compiled.of(IntegerOps.compile(form));
      case "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh", "copysign", "testp" ->
          Compiled.of(arithmetic(form));
      case "cvt" -> Compiled.of(ConvertOps.compile(form));
      case "setp", "set", "selp", "slct" -> Compiled.of(CompareOps.compile(form));
      case "ld", "st", "ldu", "prefetch", "prefetchu", "discard" ->
          Compiled.of(LoadStoreOps.compile(form));
      case "atom", "red" -> Compiled.of(AtomicOps.compile(form));
      case "membar", "fence" -> Compiled.of(fence(form));
      case "cp" -> Compiled.of(AsyncCopyOps.compile(form));
      case "shfl", "vote", "match", "redux", "activemask" -> WarpOps.compile(form);
      case "mma" -> new Compiled(MatrixOps.mma(form), true, Step.ALL_LANES);
      case "ldmatrix" -> new Compiled(MatrixOps.ldmatrix(form), true, Step.ALL_LANES);
      case "nanosleep", "pmevent", "brkpt" ->
          Compiled.of((_, _) -> {
            // Time and debuggers do not exist here.
          });
      case "trap" ->
          Compiled.of((_, mask) -> {
            throw new DeviceFault(
                DeviceFault.Kind.TRAP, Integer.numberOfTrailingZeros(mask), "trap");
          });
      default -> throw new IllegalArgumentException("opcode " + form.opcode() + " is not emulated");
    };
  }

  private static Operation arithmetic(Form form) {
    PtxType type = form.peekType();
    if (type == null) {
      throw new IllegalArgumentException("a type is missing");
    }
    return switch (type) {
      case F32 -> FloatOps.compile(form);
      case F64 -> DoubleOps.compile(form);
      case F16, BF16, F16X2, BF16X2 -> HalfOps.compile(form);
      case PRED, B8, B16, B32, B64, U8, U16, U32, U64, S8, S16, S32, S64 ->
          IntegerOps.compile(form);
    };
  }

  private static Operation fence(Form form) {
    String scope = form.takeOneOf("cta", "gl", "sys", "gpu");
    form.ignore("sc", "acq_rel", "acquire", "release");
    form.finish(0);
    boolean device = scope != null && !scope.equals("cta");
    return (warp, _) -> {
      if (device) {
        warp.block().launch().order().fence();
      }
    };
  }
}
