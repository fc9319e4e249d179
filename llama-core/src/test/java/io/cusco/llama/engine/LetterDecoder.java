package io.cusco.llama.engine;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// A tokenizer's decoder in miniature: every id has a few letters, and two ids have half a
/// character each, which shows only once both have come.
final class LetterDecoder implements PieceDecoder {
  static final int FIRST_HALF = 7;
  static final int SECOND_HALF = 8;

  private static final String[] PIECES = {"a", "b", "ab", "ba", "c", "", "bca"};

  private boolean open;

  @Override
  public String append(int id) {
    boolean isHalf = id == FIRST_HALF || id == SECOND_HALF;
    String piece = isHalf ? "" : PIECES[id % PIECES.length];
    if (piece.isEmpty() && !isHalf) {
      return "";
    }
    String before = flush();
    if (id == FIRST_HALF) {
      open = true;
      return before;
    }
    if (id == SECOND_HALF) {
      return before.isEmpty() ? "\uFFFD" : "é";
    }
    return before + piece;
  }

  @Override
  public String flush() {
    String rest = open ? "\uFFFD" : "";
    open = false;
    return rest;
  }

  /// The same, from the bytes: é is C3 A9.
  static String decode(Iterable<Integer> ids) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int id : ids) {
      switch (id) {
        case FIRST_HALF -> bytes.write(0xC3);
        case SECOND_HALF -> bytes.write(0xA9);
        default -> bytes.writeBytes(PIECES[id % PIECES.length].getBytes(StandardCharsets.UTF_8));
      }
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  /// Whether the last id that has bytes is the first half of a character.
  static boolean endsInHalf(List<Integer> ids) {
    for (int id : ids.reversed()) {
      if (id == FIRST_HALF || id == SECOND_HALF || !PIECES[id % PIECES.length].isEmpty()) {
        return id == FIRST_HALF;
      }
    }
    return false;
  }
}
