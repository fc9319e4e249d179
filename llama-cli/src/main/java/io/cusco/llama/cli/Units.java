package io.cusco.llama.cli;

import java.util.Locale;

/// Sizes as people read them; powers of ten, as disks and bandwidths are given.
final class Units {
  private Units() {}

  static String bytes(long numBytes) {
    return bytes((double) numBytes);
  }

  static String bytes(double bytes) {
    if (bytes < 1e6) {
      return String.format(Locale.ROOT, "%.1f kB", bytes / 1e3);
    }
    return bytes < 1e9
        ? String.format(Locale.ROOT, "%.1f MB", bytes / 1e6)
        : String.format(Locale.ROOT, "%.2f GB", bytes / 1e9);
  }
}
