package io.cusco.llama.engine;

import java.util.List;

/// The text of one sequence as it may be shown: whole characters, cut before a stop string, and
/// nothing that may turn out to be the beginning of one. Owned by the engine thread.
final class TextStream {
  private final PieceDecoder decoder;
  private final StopMatcher matcher;
  private final StringBuilder pending = new StringBuilder();
  private boolean stopped;

  TextStream(PieceDecoder decoder, List<String> stopStrings) {
    this.decoder = decoder;
    this.matcher = new StopMatcher(stopStrings);
  }

  /// The text that may be shown after token `id`.
  String append(int id) {
    return show(decoder.append(id));
  }

  /// Whether a stop string was found.
  boolean isStopped() {
    return stopped;
  }

  /// What may still be shown when no more tokens come.
  String finish() {
    if (stopped) {
      return "";
    }
    String shown = show(decoder.flush());
    if (stopped) {
      return shown;
    }
    String rest = pending.toString();
    pending.setLength(0);
    return shown + rest;
  }

  private String show(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      pending.append(c);
      int found = matcher.accept(c);
      if (found > 0) {
        stopped = true;
        return take(pending.length() - found);
      }
    }
    return take(pending.length() - matcher.heldBack());
  }

  private String take(int length) {
    String taken = pending.substring(0, length);
    pending.delete(0, length);
    return taken;
  }
}
