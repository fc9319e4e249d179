package io.cusco.llama.tokenizer;

import java.util.Arrays;

/// GPT-2's spelling of bytes as printable characters (`bytes_to_unicode` in its `encoder.py`):
/// bytes that print as themselves in Latin-1 stay, the other 68 become U+0100 and up, in order.
final class ByteAlphabet {
  private static final int NOT_A_BYTE = -1;
  private static final char[] CHARS = new char[256];
  private static final short[] BYTES = new short[256 + 68];

  static {
    Arrays.fill(BYTES, (short) NOT_A_BYTE);
    int next = 256;
    for (int b = 0; b < 256; b++) {
      boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      CHARS[b] = (char) (printable ? b : next++);
      BYTES[CHARS[b]] = (short) b;
    }
  }

  private ByteAlphabet() {}

  /// Writes the bytes that `text` spells to `target` at `at` and returns the end; negative if it
  /// holds a character outside the alphabet. Takes one byte for each char.
  static int decode(String text, byte[] target, int at) {
    int end = at;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      short b = c < BYTES.length ? BYTES[c] : NOT_A_BYTE;
      if (b == NOT_A_BYTE) {
        return NOT_A_BYTE;
      }
      target[end++] = (byte) b;
    }
    return end;
  }
}
