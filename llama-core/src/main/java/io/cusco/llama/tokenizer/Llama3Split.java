package io.cusco.llama.tokenizer;

/// Cuts text into the words that Llama 3 encodes one by one. A scanner for the pattern
///
/// ```
/// (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}{1,3}
///   |  ?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
/// ```
///
/// (Meta's `tokenizer.py`, `pat_str`) that takes time linear in the text and no stack, whatever the
/// text; `\s`, `\p{L}` and `\p{N}` are Unicode's. Every character falls into exactly one of letter,
/// number, white space, other, so a look at one or two characters tells which alternative applies.
final class Llama3Split {
  /// The pattern as tokenizer.json files spell it.
  static final String PATTERN =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private static final int LONGEST_NUMBER = 3;

  private enum Kind {
    LETTER,
    NUMBER,
    SPACE,
    OTHER
  }

  private Llama3Split() {}

  /// The end of the word that begins at `from`; `from < to`.
  static int next(String text, int from, int to) {
    int first = codePointAt(text, from, to);
    int afterFirst = from + Character.charCount(first);
    Kind kind = kindOf(first);
    if (kind == Kind.LETTER) {
      return skip(Kind.LETTER, text, afterFirst, to);
    }
    if (kind == Kind.NUMBER) {
      return endOfNumber(text, afterFirst, to);
    }
    if (first == '\'') {
      int end = endOfContraction(text, from, to);
      if (end > from) {
        return end;
      }
    }
    Kind second = afterFirst < to ? kindOf(codePointAt(text, afterFirst, to)) : null;
    if (second == Kind.LETTER && first != '\r' && first != '\n') {
      return skip(Kind.LETTER, text, afterFirst, to);
    }
    if (kind == Kind.OTHER || (first == ' ' && second == Kind.OTHER)) {
      int end = skip(Kind.OTHER, text, afterFirst, to);
      while (end < to && isNewline(text.charAt(end))) {
        end++;
      }
      return end;
    }
    return endOfSpace(text, from, to);
  }

  private static int endOfNumber(String text, int afterFirst, int to) {
    int end = afterFirst;
    for (int digits = 1; digits < LONGEST_NUMBER && end < to; digits++) {
      int c = codePointAt(text, end, to);
      if (kindOf(c) != Kind.NUMBER) {
        break;
      }
      end += Character.charCount(c);
    }
    return end;
  }

  /// `from` where there is no contraction. U+017F, the long s, is an s to a case-blind match.
  private static int endOfContraction(String text, int from, int to) {
    char first = from + 1 < to ? asciiLower(text.charAt(from + 1)) : 0;
    char second = from + 2 < to ? asciiLower(text.charAt(from + 2)) : 0;
    return switch (first) {
      case 's', '\u017F', 't', 'm', 'd' -> from + 2;
      case 'r', 'v' -> second == 'e' ? from + 3 : from;
      case 'l' -> second == 'l' ? from + 3 : from;
      default -> from;
    };
  }

  /// A run of white space ends after its last newline; without one, before its last character, so
  /// that a word keeps its leading space; at the end of the text it is taken whole.
  private static int endOfSpace(String text, int from, int to) {
    int end = from;
    int afterNewline = from;
    // All white space is in the basic plane: one char each.
    while (end < to && isSpace(text.charAt(end))) {
      if (isNewline(text.charAt(end))) {
        afterNewline = end + 1;
      }
      end++;
    }
    if (afterNewline > from) {
      return afterNewline;
    }
    return end == to || end == from + 1 ? end : end - 1;
  }

  private static int skip(Kind kind, String text, int from, int to) {
    int end = from;
    while (end < to) {
      int c = codePointAt(text, end, to);
      if (kindOf(c) != kind) {
        break;
      }
      end += Character.charCount(c);
    }
    return end;
  }

  /// An unpaired surrogate comes out as itself and is `OTHER`, as is U+FFFD, which it will become.
  private static int codePointAt(String text, int at, int to) {
    char high = text.charAt(at);
    if (Character.isHighSurrogate(high) && at + 1 < to) {
      char low = text.charAt(at + 1);
      if (Character.isLowSurrogate(low)) {
        return Character.toCodePoint(high, low);
      }
    }
    return high;
  }

  private static Kind kindOf(int c) {
    return switch (Character.getType(c)) {
      case Character.UPPERCASE_LETTER,
          Character.LOWERCASE_LETTER,
          Character.TITLECASE_LETTER,
          Character.MODIFIER_LETTER,
          Character.OTHER_LETTER ->
          Kind.LETTER;
      case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER ->
          Kind.NUMBER;
      default -> isSpace(c) ? Kind.SPACE : Kind.OTHER;
    };
  }

  /// Unicode's White_Space property, which neither `Character.isWhitespace` nor `isSpaceChar` is.
  private static boolean isSpace(int c) {
    return c == ' '
        || (c >= '\t' && c <= '\r')
        || c == 0x85
        || c == 0xA0
        || c == 0x1680
        || (c >= 0x2000 && c <= 0x200A)
        || c == 0x2028
        || c == 0x2029
        || c == 0x202F
        || c == 0x205F
        || c == 0x3000;
  }

  private static boolean isNewline(char c) {
    return c == '\r' || c == '\n';
  }

  private static char asciiLower(char c) {
    return c >= 'A' && c <= 'Z' ? (char) (c + 32) : c;
  }
}
