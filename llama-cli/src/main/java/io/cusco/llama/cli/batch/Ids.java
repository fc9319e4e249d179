package io.cusco.llama.cli.batch;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.UUID;

/// Names of answers, and numbers made from names.
final class Ids {
  private static final HexFormat HEX = HexFormat.of();

  /// FNV-1a's parameters for 64 bits.
  private static final long FNV_OFFSET = 0xcbf29ce484222325L;

  private static final long FNV_PRIME = 0x100000001b3L;

  private Ids() {}

  /// A name that no other answer has, 32 hexadecimal digits.
  static String next() {
    UUID uuid = UUID.randomUUID();
    return HEX.toHexDigits(uuid.getMostSignificantBits())
        + HEX.toHexDigits(uuid.getLeastSignificantBits());
  }

  /// A number for each (seed, name).
  static long mix(long seed, String name) {
    long hash = FNV_OFFSET ^ seed;
    for (byte each : name.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ Byte.toUnsignedInt(each)) * FNV_PRIME;
    }
    return hash;
  }
}
