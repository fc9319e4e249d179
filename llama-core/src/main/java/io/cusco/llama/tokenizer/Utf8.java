package io.cusco.llama.tokenizer;

import java.util.Arrays;

/// UTF-8 encoding into a caller's array. Unlike `String.getBytes`, an unpaired surrogate becomes
/// U+FFFD instead of a question mark.
final class Utf8 {
  /// A char never takes more bytes than this (a surrogate pair takes four for two chars).
  static final int MAX_BYTES_PER_CHAR = 3;

  static final int REPLACEMENT = 0xFFFD;

  private Utf8() {}

  /// Writes `text[from, to)` to `target` at `at` and returns the end.
  static int encode(String text, int from, int to, byte[] target, int at) {
    int end = at;
    int i = from;
    while (i < to) {
      char c = text.charAt(i++);
      if (c < 0x80) {
        target[end++] = (byte) c;
      } else if (Character.isHighSurrogate(c)
          && i < to
          && Character.isLowSurrogate(text.charAt(i))) {
        end = encode(Character.toCodePoint(c, text.charAt(i++)), target, end);
      } else {
        end = encode(Character.isSurrogate(c) ? REPLACEMENT : c, target, end);
      }
    }
    return end;
  }

  static int encode(int codePoint, byte[] target, int at) {
    int end = at;
    if (codePoint < 0x80) {
      target[end++] = (byte) codePoint;
    } else if (codePoint < 0x800) {
      target[end++] = (byte) (0xC0 | (codePoint >> 6));
      target[end++] = (byte) (0x80 | (codePoint & 0x3F));
    } else if (codePoint < 0x10000) {
      target[end++] = (byte) (0xE0 | (codePoint >> 12));
      target[end++] = (byte) (0x80 | ((codePoint >> 6) & 0x3F));
      target[end++] = (byte) (0x80 | (codePoint & 0x3F));
    } else {
      target[end++] = (byte) (0xF0 | (codePoint >> 18));
      target[end++] = (byte) (0x80 | ((codePoint >> 12) & 0x3F));
      target[end++] = (byte) (0x80 | ((codePoint >> 6) & 0x3F));
      target[end++] = (byte) (0x80 | (codePoint & 0x3F));
    }
    return end;
  }

  /// An array that any text of `numChars` chars fits into.
  static byte[] newBuffer(int numChars) {
    if (numChars > Integer.MAX_VALUE / MAX_BYTES_PER_CHAR - 16) {
      throw new IllegalArgumentException(
          "a text of %d characters is too long to encode at once; cut it up".formatted(numChars));
    }
    return new byte[numChars * MAX_BYTES_PER_CHAR];
  }

  static byte[] encode(String text) {
    byte[] bytes = newBuffer(text.length());
    return Arrays.copyOf(bytes, encode(text, 0, text.length(), bytes, 0));
  }

  /// The length of the well-formed character that begins at `from`; 0 if there is none.
  static int characterLength(byte[] bytes, int from, int to) {
    int first = bytes[from] & 0xFF;
    int length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (length == 0 || first > 0xF4 || length > to - from) {
      return 0;
    }
    for (int i = 1; i < length; i++) {
      if (!isContinuation(bytes[from + i])) {
        return 0;
      }
    }
    int second = length > 1 ? bytes[from + 1] & 0xFF : 0;
    // Overlong forms, surrogates, numbers above U+10FFFF.
    boolean illFormed =
        (first == 0xE0 && second < 0xA0)
            || (first == 0xED && second > 0x9F)
            || (first == 0xF0 && second < 0x90)
            || (first == 0xF4 && second > 0x8F);
    return illFormed ? 0 : length;
  }

  static boolean isContinuation(byte b) {
    return (b & 0xC0) == 0x80;
  }
}
