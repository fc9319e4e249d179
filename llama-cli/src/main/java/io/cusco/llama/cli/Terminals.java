package io.cusco.llama.cli;

/// Which of the standard streams are terminals, as the launcher saw: it knows for free (`test -t`),
/// from Java it takes a native call.
///
/// @param in whether stdin is one
/// @param out whether stdout is one
/// @param err whether stderr is one
record Terminals(boolean in, boolean out, boolean err) {
  static final Terminals NONE = new Terminals(false, false, false);

  /// Set by `scripts/llama` to the digits of the streams that are terminals, such as `012`.
  static final String PROPERTY = "llama.terminals";

  static Terminals fromLauncher() {
    String digits = System.getProperty(PROPERTY, "");
    return new Terminals(digits.contains("0"), digits.contains("1"), digits.contains("2"));
  }
}
