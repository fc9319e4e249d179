package io.cusco.llama.tokenizer;

/// Incremental UTF-8 decoding with replacement: one U+FFFD for each maximal malformed part (Unicode
/// 16, table 3-8; the same as Python's `utf-8` codec with `errors="replace"`).
///
/// One exception to "shown as soon as it is known to be bad", which Python's incremental decoder
/// makes and the reference streams show: `ED A0..BF` is held back for one byte, because another
/// error policy could let the surrogate pass. The text as a whole is the same.
final class Utf8Stream {
  private static final char REPLACEMENT = '\uFFFD';

  /// Bytes still missing from the open character.
  private int missing;

  private int codePoint;

  /// What the next byte of the open character may be.
  private int lowest;

  private int highest;
  private boolean heldSurrogate;

  void append(byte[] bytes, StringBuilder text) {
    for (byte b : bytes) {
      append(b & 0xFF, text);
    }
  }

  void append(int b, StringBuilder text) {
    if (heldSurrogate) {
      heldSurrogate = false;
      text.append(REPLACEMENT).append(REPLACEMENT);
    }
    if (missing == 0) {
      begin(b, text);
    } else if (b >= lowest && b <= highest) {
      codePoint = (codePoint << 6) | (b & 0x3F);
      lowest = 0x80;
      highest = 0xBF;
      if (--missing == 0) {
        text.appendCodePoint(codePoint);
      }
    } else if (highest == 0x9F && b >= 0xA0 && b <= 0xBF) {
      missing = 0;
      heldSurrogate = true;
    } else {
      missing = 0;
      text.append(REPLACEMENT);
      begin(b, text);
    }
  }

  /// Ends the text: an open character becomes U+FFFD.
  void finish(StringBuilder text) {
    if (heldSurrogate) {
      text.append(REPLACEMENT).append(REPLACEMENT);
    } else if (missing > 0) {
      text.append(REPLACEMENT);
    }
    heldSurrogate = false;
    missing = 0;
  }

  private void begin(int b, StringBuilder text) {
    lowest = 0x80;
    highest = 0xBF;
    if (b < 0x80) {
      text.append((char) b);
    } else if (b >= 0xC2 && b <= 0xDF) {
      open(1, b & 0x1F);
    } else if (b >= 0xE0 && b <= 0xEF) {
      open(2, b & 0x0F);
      // No overlong forms, no surrogates.
      if (b == 0xE0) {
        lowest = 0xA0;
      } else if (b == 0xED) {
        highest = 0x9F;
      }
    } else if (b >= 0xF0 && b <= 0xF4) {
      open(3, b & 0x07);
      // No overlong forms, nothing above U+10FFFF.
      if (b == 0xF0) {
        lowest = 0x90;
      } else if (b == 0xF4) {
        highest = 0x8F;
      }
    } else {
      text.append(REPLACEMENT);
    }
  }

  private void open(int continuationBytes, int bits) {
    missing = continuationBytes;
    codePoint = bits;
  }
}
