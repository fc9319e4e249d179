package io.cusco.llama.cuda.driver;

/// What a kernel's parameter is on the Java side.
public enum ParameterType {
  /// A device address.
  POINTER(8),
  LONG(8),
  INT(4),
  FLOAT(4);

  private final int numBytes;

  ParameterType(int numBytes) {
    this.numBytes = numBytes;
  }

  int numBytes() {
    return numBytes;
  }

  /// Whether a PTX parameter of this type, "u64" say, can be of this kind.
  boolean matches(String ptxType) {
    return switch (this) {
      case POINTER -> ptxType.equals("u64") || ptxType.equals("b64");
      case LONG -> ptxType.equals("u64") || ptxType.equals("s64") || ptxType.equals("b64");
      case INT -> ptxType.equals("u32") || ptxType.equals("s32") || ptxType.equals("b32");
      case FLOAT -> ptxType.equals("f32") || ptxType.equals("b32");
    };
  }
}
