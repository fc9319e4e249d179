package io.cusco.llama.cli;

/// Which of the standard streams are terminals.
///
/// The launcher knows this for free (`test -t`) and passes it on; asking from Java costs a native
/// call or the console's start.
///
/// @param in whether stdin is one
/// @param out whether stdout is one
/// @param err whether stderr is one
record Terminals(boolean in, boolean out, boolean err) {
  static final Terminals NONE = new Terminals(false, false, false);

  /// Set by `scripts/llama` to the digits of the streams that are terminals, such as `012`.
  static final String PROPERTY = "llama.terminals";

  static Terminals fromLauncher() {
    String digits = System.getProperty(PROPERTY);
    if (digits == null) {
      boolean both = System.console() != null && System.console().isTerminal();
      return new Terminals(both, both, false);
    }
    return new Terminals(digits.contains("0"), digits.contains("1"), digits.contains("2"));
  }
}
