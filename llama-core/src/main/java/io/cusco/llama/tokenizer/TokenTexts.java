package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Collects the texts of a vocabulary that names the id of each token, in any order and perhaps
/// with gaps.
final class TokenTexts {
  private static final int NO_TOKEN = -1;

  private final String source;

  /// All texts as they came; where that of an id begins and ends, [#NO_TOKEN] where there is none.
  private byte[] bytes = new byte[1 << 16];

  private int numBytes;
  private int[] starts = new int[0];
  private int[] ends = new int[0];
  private int size;

  /// @param source what to call the file in messages
  TokenTexts(String source) {
    this.source = source;
  }

  /// One more than the highest id.
  int size() {
    return size;
  }

  boolean has(int id) {
    return starts[id] != NO_TOKEN;
  }

  String get(int id) {
    return text(bytes, starts[id], ends[id]);
  }

  boolean equals(int id, byte[] utf8) {
    return Arrays.equals(bytes, starts[id], ends[id], utf8, 0, utf8.length);
  }

  /// Lets `utf8[from, to)` be the text of `id`.
  ///
  /// @throws CheckpointException if `id` is none, or has another text already
  void put(int id, byte[] utf8, int from, int to) {
    if (id < 0 || id >= Vocabularies.MAX_SIZE) {
      throw new CheckpointException(
          "%s: token \"%s\" has id %d; ids are 0 to %d"
              .formatted(source, text(utf8, from, to), id, Vocabularies.MAX_SIZE - 1));
    }
    if (id >= starts.length) {
      grow(id + 1);
    }
    if (has(id) && !Arrays.equals(bytes, starts[id], ends[id], utf8, from, to)) {
      throw new CheckpointException(
          "%s: tokens \"%s\" and \"%s\" have the same id %d"
              .formatted(source, get(id), text(utf8, from, to), id));
    }
    int end = Math.addExact(numBytes, to - from);
    if (end > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(end, Math.multiplyExact(bytes.length, 2)));
    }
    System.arraycopy(utf8, from, bytes, numBytes, to - from);
    starts[id] = numBytes;
    ends[id] = end;
    numBytes = end;
    size = Math.max(size, id + 1);
  }

  private void grow(int least) {
    int oldLength = starts.length;
    int newLength = Math.max(least, Math.max(1024, oldLength * 2));
    starts = Arrays.copyOf(starts, newLength);
    ends = Arrays.copyOf(ends, newLength);
    Arrays.fill(starts, oldLength, newLength, NO_TOKEN);
  }

  /// All texts by id; every id below [#size()] has to have one.
  Utf8Strings build() {
    return new Utf8Strings(bytes, Arrays.copyOf(starts, size), Arrays.copyOf(ends, size));
  }

  private static String text(byte[] utf8, int from, int to) {
    return new String(utf8, from, to - from, StandardCharsets.UTF_8);
  }
}
