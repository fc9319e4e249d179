package io.cusco.llama.cli;

import java.util.function.Supplier;

/// Options that are wrong in themselves, which picocli cannot see: exit code 2.
final class Usage {
  private Usage() {}

  /// An option or a combination of options is wrong.
  static final class WrongUsage extends RuntimeException {
    private static final long serialVersionUID = 1L;

    WrongUsage(String message) {
      super(message);
    }
  }

  static void require(boolean holds, String message) {
    if (!holds) {
      throw new WrongUsage(message);
    }
  }

  /// Builds a value from options; what its constructor refuses is wrong usage.
  static <T> T check(Supplier<T> value) {
    try {
      return value.get();
    } catch (IllegalArgumentException e) {
      throw new WrongUsage(e.getMessage());
    }
  }
}
