package io.cusco.llama.cuda.emulator;

import java.io.Serial;

/// PTX text that the emulator cannot load: malformed, or using what it does not emulate. The
/// message names module, kernel, line and the text itself.
public final class PtxException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1L;

  PtxException(String message) {
    super(message);
  }

  /// A refusal of one statement; the place (module, kernel) is added where it is known.
  static PtxException at(int line, String text, String problem) {
    return new PtxException("PTX line " + line + ": `" + text + "`: " + problem);
  }

  /// The same refusal with the name of what contains the statement in front.
  PtxException within(String place) {
    PtxException named = new PtxException(place + ": " + getMessage());
    named.setStackTrace(getStackTrace());
    return named;
  }
}
