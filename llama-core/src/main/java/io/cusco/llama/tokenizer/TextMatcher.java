package io.cusco.llama.tokenizer;

import java.util.BitSet;
import java.util.Map;
import java.util.TreeMap;

/// Finds tokens by their literal text: at each place the longest one. Takes time in proportion to
/// the text, times the length of the longest token at worst.
final class TextMatcher {
  private final String[] texts;
  private final int[] ids;
  private final BitSet firstChars = new BitSet();

  /// Empty texts are left out: they would match everywhere.
  TextMatcher(Map<String, Integer> tokens) {
    TreeMap<String, Integer> sorted = new TreeMap<>(tokens);
    sorted.remove("");
    texts = sorted.keySet().toArray(String[]::new);
    ids = sorted.values().stream().mapToInt(Integer::intValue).toArray();
    for (String text : texts) {
      firstChars.set(text.charAt(0));
    }
  }

  boolean isEmpty() {
    return texts.length == 0;
  }

  /// The longest token that begins at `at`, as an index for [#id] and [#length]; -1 if there is
  /// none.
  ///
  /// The texts are sorted, so those that share a prefix are neighbours: each further character
  /// narrows the range `[low, high)`, in which a text that ends here comes first.
  int matchAt(String text, int at) {
    if (!firstChars.get(text.charAt(at))) {
      return -1;
    }
    int low = 0;
    int high = texts.length;
    int longest = -1;
    for (int depth = 0; at + depth < text.length(); depth++) {
      char c = text.charAt(at + depth);
      low = lowerBound(low, high, depth, c);
      high = lowerBound(low, high, depth, c + 1);
      if (low == high) {
        break;
      }
      if (texts[low].length() == depth + 1) {
        longest = low;
      }
    }
    return longest;
  }

  int id(int match) {
    return ids[match];
  }

  int length(int match) {
    return texts[match].length();
  }

  /// The first text in `[low, high)` whose character at `depth` is not below `c`.
  private int lowerBound(int low, int high, int depth, int c) {
    int from = low;
    int to = high;
    while (from < to) {
      int middle = (from + to) >>> 1;
      boolean below = texts[middle].length() <= depth || texts[middle].charAt(depth) < c;
      if (below) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return from;
  }
}
