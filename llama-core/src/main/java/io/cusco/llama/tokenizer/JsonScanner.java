package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Reads JSON token by token and leaves its strings where they lie, as UTF-8. A tokenizer's file is
/// little else than half a million short strings, and it is read once, by code that is not compiled
/// yet: with a general parser, which makes chars of them first, loading takes half as long again.
///
/// Checks syntax, UTF-8 and nesting of what it passes; whatever follows the last token that was
/// asked for is not looked at. Used by one thread.
///
/// Source: RFC 8259.
final class JsonScanner {
  enum Token {
    START_OBJECT,
    END_OBJECT,
    START_ARRAY,
    END_ARRAY,
    /// The name of an object's member; its value follows.
    NAME,
    STRING,
    /// A number that is an `int`.
    INTEGER,
    /// Any other number; its value is not kept.
    NUMBER,
    TRUE,
    FALSE,
    NULL
  }

  /// A tokenizer nests six deep.
  private static final int MAX_DEPTH = 64;

  /// Beyond an `int`, with either sign.
  private static final long TOO_LARGE = 1L << 32;

  private final String source;
  private final byte[] json;
  private int at;

  /// A bit for each open object or array, 1 for objects, the innermost lowest.
  private long objects;

  private int depth;

  /// Whether the innermost object or array has an element already, so that a comma comes first.
  private boolean hasElement;

  /// Whether a name was read, whose value comes next.
  private boolean hasName;

  private Token token;
  private byte[] text;
  private int textStart;
  private int textEnd;
  private int integer;
  private byte[] unescaped = new byte[64];

  /// @param source what to call the file in messages
  JsonScanner(String source, byte[] json) {
    this.source = source;
    this.json = json;
  }

  /// The token that [#next] returned last.
  Token token() {
    return token;
  }

  /// The array that holds the present name or string, from [#start()] to [#end()], until the next
  /// token is read. Not to be changed.
  byte[] bytes() {
    return text;
  }

  int start() {
    return textStart;
  }

  int end() {
    return textEnd;
  }

  /// The present name or string.
  String string() {
    return new String(text, textStart, textEnd - textStart, StandardCharsets.UTF_8);
  }

  /// The present [Token#INTEGER].
  int integer() {
    return integer;
  }

  /// The next token.
  ///
  /// @throws CheckpointException if none follows, or something that is not JSON
  Token next() {
    token = advance();
    return token;
  }

  private Token advance() {
    int c = significant();
    if (depth > 0 && !hasName) {
      boolean inObject = (objects & 1) != 0;
      if (c == (inObject ? '}' : ']')) {
        return close();
      }
      if (hasElement) {
        if (c != ',') {
          throw invalid("a comma is missing");
        }
        at++;
        c = significant();
      }
      if (inObject) {
        return name(c);
      }
    }
    hasName = false;
    hasElement = true;
    return value(c);
  }

  /// Passes the rest of the object or array that was just opened; nothing after any other token.
  void skipChildren() {
    if (token != Token.START_OBJECT && token != Token.START_ARRAY) {
      return;
    }
    int outside = depth - 1;
    while (depth > outside) {
      next();
    }
  }

  private Token name(int c) {
    if (c != '"') {
      throw invalid("a name is missing");
    }
    readString();
    if (significant() != ':') {
      throw invalid("a colon is missing");
    }
    at++;
    hasName = true;
    return Token.NAME;
  }

  private Token value(int c) {
    return switch (c) {
      case '"' -> {
        readString();
        yield Token.STRING;
      }
      case '{' -> open(1, Token.START_OBJECT);
      case '[' -> open(0, Token.START_ARRAY);
      case 't' -> literal("true", Token.TRUE);
      case 'f' -> literal("false", Token.FALSE);
      case 'n' -> literal("null", Token.NULL);
      default -> number();
    };
  }

  private Token open(int object, Token opened) {
    if (depth == MAX_DEPTH) {
      throw invalid("it nests deeper than %d levels".formatted(MAX_DEPTH));
    }
    depth++;
    objects = objects << 1 | object;
    hasElement = false;
    at++;
    return opened;
  }

  private Token close() {
    Token closed = (objects & 1) != 0 ? Token.END_OBJECT : Token.END_ARRAY;
    depth--;
    objects >>>= 1;
    hasElement = true;
    at++;
    return closed;
  }

  private Token literal(String word, Token meant) {
    for (int i = 0; i < word.length(); i++) {
      if (peek() != word.charAt(i)) {
        throw invalid("a value is missing");
      }
      at++;
    }
    return meant;
  }

  private Token number() {
    int start = at;
    boolean negative = peek() == '-';
    if (negative) {
      at++;
    }
    int digitsStart = at;
    long value = 0;
    for (; isDigit(peek()); at++) {
      value = Math.min(value * 10 + json[at] - '0', TOO_LARGE);
    }
    int digits = at - digitsStart;
    if (digits == 0 || (digits > 1 && json[digitsStart] == '0')) {
      at = start;
      throw invalid("a value is missing");
    }
    boolean whole = true;
    if (peek() == '.') {
      at++;
      skipDigits();
      whole = false;
    }
    if (peek() == 'e' || peek() == 'E') {
      at++;
      if (peek() == '+' || peek() == '-') {
        at++;
      }
      skipDigits();
      whole = false;
    }
    value = negative ? -value : value;
    integer = (int) value;
    return whole && integer == value ? Token.INTEGER : Token.NUMBER;
  }

  private void skipDigits() {
    if (!isDigit(peek())) {
      throw invalid("a number has no digits");
    }
    while (isDigit(peek())) {
      at++;
    }
  }

  private static boolean isDigit(int c) {
    return c >= '0' && c <= '9';
  }

  /// The string that begins at the present quotation mark.
  private void readString() {
    byte[] bytes = json;
    int end = at + 1;
    textStart = end;
    while (end < bytes.length) {
      byte b = bytes[end];
      if (b == '"') {
        text = bytes;
        textEnd = end;
        at = end + 1;
        return;
      }
      if (b == '\\') {
        unescape(end);
        return;
      }
      end += b < 0 ? characterLength(end) : 1;
      if (b >= 0 && b < ' ') {
        at = end - 1;
        throw invalid("a string holds a control character");
      }
    }
    at = bytes.length;
    throw invalid("a string does not end");
  }

  private int characterLength(int from) {
    int length = Utf8.characterLength(json, from, json.length);
    if (length == 0) {
      at = from;
      throw invalid("a string is not UTF-8");
    }
    return length;
  }

  /// The same with escapes: written out beside the file, from the first at `escape` on.
  private void unescape(int escape) {
    int size = escape - textStart;
    makeRoom(size);
    System.arraycopy(json, textStart, unescaped, 0, size);
    at = escape;
    while (peek() != '"') {
      makeRoom(size + 4);
      if (peek() == '\\') {
        size = Utf8.encode(escapedCharacter(), unescaped, size);
        continue;
      }
      if (peek() < ' ' && peek() >= 0) {
        throw invalid("a string holds a control character");
      }
      if (at >= json.length) {
        throw invalid("a string does not end");
      }
      int length = json[at] < 0 ? characterLength(at) : 1;
      System.arraycopy(json, at, unescaped, size, length);
      at += length;
      size += length;
    }
    at++;
    text = unescaped;
    textStart = 0;
    textEnd = size;
  }

  private void makeRoom(int size) {
    if (size > unescaped.length) {
      unescaped = Arrays.copyOf(unescaped, Math.max(size, Math.multiplyExact(unescaped.length, 2)));
    }
  }

  /// The character that the escape at the present backslash stands for, and passes it. An unpaired
  /// surrogate becomes U+FFFD.
  private int escapedCharacter() {
    at++;
    int c = peek();
    at++;
    return switch (c) {
      case '"', '\\', '/' -> c;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> {
        char first = (char) hexDigits();
        if (Character.isHighSurrogate(first) && peek() == '\\' && byteAt(at + 1) == 'u') {
          int afterFirst = at;
          at += 2;
          char second = (char) hexDigits();
          if (Character.isLowSurrogate(second)) {
            yield Character.toCodePoint(first, second);
          }
          at = afterFirst;
        }
        yield Character.isSurrogate(first) ? Utf8.REPLACEMENT : first;
      }
      default -> throw invalid("a string has an escape that there is not");
    };
  }

  private int hexDigits() {
    int value = 0;
    for (int i = 0; i < 4; i++) {
      int digit = Character.digit(peek(), 16);
      if (digit < 0) {
        throw invalid("a string has an escape of less than four digits");
      }
      value = value << 4 | digit;
      at++;
    }
    return value;
  }

  /// Passes white space; the byte after it, -1 at the end.
  private int significant() {
    int c = peek();
    while (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      at++;
      c = peek();
    }
    return c;
  }

  private int peek() {
    return byteAt(at);
  }

  private int byteAt(int index) {
    return index < json.length ? json[index] & 0xFF : -1;
  }

  private CheckpointException invalid(String fault) {
    return new CheckpointException(
        at < json.length
            ? "%s: the tokenizer is not valid JSON: %s at byte %d".formatted(source, fault, at)
            : "%s: the tokenizer is not valid JSON: it ends too early, after %d bytes; fetch it again"
                .formatted(source, json.length));
  }
}
