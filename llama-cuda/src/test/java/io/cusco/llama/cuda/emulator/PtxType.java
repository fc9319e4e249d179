package io.cusco.llama.cuda.emulator;

import java.util.Locale;

/// The fundamental types of PTX (PTX ISA, "Fundamental Types") and the packed half types.
enum PtxType {
  PRED(1, Kind.PREDICATE),
  B8(8, Kind.BITS),
  B16(16, Kind.BITS),
  B32(32, Kind.BITS),
  B64(64, Kind.BITS),
  U8(8, Kind.UNSIGNED),
  U16(16, Kind.UNSIGNED),
  U32(32, Kind.UNSIGNED),
  U64(64, Kind.UNSIGNED),
  S8(8, Kind.SIGNED),
  S16(16, Kind.SIGNED),
  S32(32, Kind.SIGNED),
  S64(64, Kind.SIGNED),
  F16(16, Kind.FLOAT),
  BF16(16, Kind.FLOAT),
  F32(32, Kind.FLOAT),
  F64(64, Kind.FLOAT),
  F16X2(32, Kind.PACKED),
  BF16X2(32, Kind.PACKED);

  /// What the bits of a type mean.
  enum Kind {
    PREDICATE,
    BITS,
    UNSIGNED,
    SIGNED,
    FLOAT,
    PACKED
  }

  private final int bits;
  private final Kind kind;

  PtxType(int bits, Kind kind) {
    this.bits = bits;
    this.kind = kind;
  }

  int bits() {
    return bits;
  }

  int numBytes() {
    return Math.max(1, bits / 8);
  }

  /// Whether values live in the file of 64-bit registers.
  boolean wide() {
    return bits == 64;
  }

  boolean signed() {
    return kind == Kind.SIGNED;
  }

  boolean isFloat() {
    return kind == Kind.FLOAT;
  }

  boolean isInteger() {
    return kind == Kind.SIGNED || kind == Kind.UNSIGNED || kind == Kind.BITS;
  }

  boolean packed() {
    return kind == Kind.PACKED;
  }

  /// The type of this name (`u32`, without the dot), null where there is none.
  static PtxType named(String name) {
    for (PtxType type : values()) {
      if (type.toString().equals(name)) {
        return type;
      }
    }
    return null;
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
