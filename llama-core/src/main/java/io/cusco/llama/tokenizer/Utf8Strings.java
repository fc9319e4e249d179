package io.cusco.llama.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;

/// A list of texts as UTF-8 in one array: a vocabulary as its file holds it, without an object for
/// each of its hundred thousand entries. Does not change; safe for use by several threads.
public final class Utf8Strings {
  private final byte[] bytes;
  private final int[] starts;
  private final int[] ends;

  /// Text `i` is `bytes[starts[i], ends[i])`. Takes the arrays over.
  ///
  /// @throws IllegalArgumentException if a text lies outside `bytes`
  public Utf8Strings(byte[] bytes, int[] starts, int[] ends) {
    if (starts.length != ends.length) {
      throw new IllegalArgumentException(
          "%d starts, but %d ends".formatted(starts.length, ends.length));
    }
    for (int i = 0; i < starts.length; i++) {
      if (starts[i] < 0 || starts[i] > ends[i] || ends[i] > bytes.length) {
        throw new IllegalArgumentException(
            "text %d is [%d, %d) of %d bytes".formatted(i, starts[i], ends[i], bytes.length));
      }
    }
    this.bytes = bytes;
    this.starts = starts;
    this.ends = ends;
  }

  public static Utf8Strings of(String... texts) {
    Builder builder = new Builder();
    for (String text : texts) {
      byte[] utf8 = Utf8.encode(text);
      builder.add(utf8, 0, utf8.length);
    }
    return builder.build();
  }

  /// Collects texts one after another.
  static final class Builder {
    private byte[] bytes = new byte[1024];
    private int[] ends = new int[64];
    private int size;

    /// Adds `utf8[from, to)`.
    void add(byte[] utf8, int from, int to) {
      int start = size == 0 ? 0 : ends[size - 1];
      int end = Math.addExact(start, to - from);
      if (end > bytes.length) {
        bytes = Arrays.copyOf(bytes, Math.max(end, Math.multiplyExact(bytes.length, 2)));
      }
      if (size == ends.length) {
        ends = Arrays.copyOf(ends, Math.multiplyExact(ends.length, 2));
      }
      System.arraycopy(utf8, from, bytes, start, to - from);
      ends[size++] = end;
    }

    int size() {
      return size;
    }

    Utf8Strings build() {
      int[] starts = new int[size];
      if (size > 1) {
        System.arraycopy(ends, 0, starts, 1, size - 1);
      }
      return new Utf8Strings(bytes, starts, Arrays.copyOf(ends, size));
    }
  }

  public int size() {
    return starts.length;
  }

  /// Text `index`; malformed UTF-8 becomes U+FFFD.
  public String get(int index) {
    Objects.checkIndex(index, starts.length);
    return new String(bytes, starts[index], ends[index] - starts[index], StandardCharsets.UTF_8);
  }

  /// Not to be changed.
  byte[] bytes() {
    return bytes;
  }

  int start(int index) {
    return starts[index];
  }

  int end(int index) {
    return ends[index];
  }
}
