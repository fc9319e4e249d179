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

  /// Writes the bytes that `utf8[from, to)` spells to `target` at `at` and returns the end;
  /// negative if it holds a character outside the alphabet. Never writes more bytes than it reads.
  static int decode(byte[] utf8, int from, int to, byte[] target, int at) {
    int end = at;
    for (int i = from; i < to; i++) {
      int c = utf8[i];
      if (c < 0) {
        // The alphabet ends below U+0800, so two bytes it has to be, and no overlong form.
        if ((c & 0xE0) != 0xC0 || (c & 0x1E) == 0 || i + 1 == to) {
          return NOT_A_BYTE;
        }
        byte next = utf8[++i];
        if (!Utf8.isContinuation(next)) {
          return NOT_A_BYTE;
        }
        c = (c & 0x1F) << 6 | (next & 0x3F);
      }
      short b = c < BYTES.length ? BYTES[c] : NOT_A_BYTE;
      if (b == NOT_A_BYTE) {
        return NOT_A_BYTE;
      }
      target[end++] = (byte) b;
    }
    return end;
  }
}
