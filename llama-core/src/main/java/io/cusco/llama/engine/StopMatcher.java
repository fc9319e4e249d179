package io.cusco.llama.engine;

import java.util.Arrays;
import java.util.List;

/// Finds the first stop string in a text that comes in pieces, however the pieces are cut.
///
/// First is the one that ends first; of several that end at the same character, the longest. Each
/// stop string is followed by the automaton of Knuth, Morris and Pratt, so time is linear in the
/// text, and the state of each says how much of the text's end might be the beginning of a stop
/// string and has to be held back.
final class StopMatcher {
  private final String[] stops;

  /// `failures[s][j]`: length of the longest proper prefix of stop `s` that ends its first `j`
  /// characters.
  private final int[][] failures;

  /// How many characters of each stop string the text ends with.
  private final int[] matched;

  StopMatcher(List<String> stopStrings) {
    stops = stopStrings.toArray(String[]::new);
    failures = Arrays.stream(stops).map(StopMatcher::failures).toArray(int[][]::new);
    matched = new int[stops.length];
  }

  /// Reads one more character.
  ///
  /// @return the length of the stop string that it completes, otherwise 0; not to be called again
  ///   after a match
  int accept(char c) {
    int found = 0;
    for (int s = 0; s < stops.length; s++) {
      String stop = stops[s];
      int length = matched[s];
      while (length > 0 && stop.charAt(length) != c) {
        length = failures[s][length];
      }
      if (stop.charAt(length) == c) {
        length++;
      }
      matched[s] = length;
      if (length == stop.length()) {
        found = Math.max(found, length);
      }
    }
    return found;
  }

  /// Length of the text's end that might be the beginning of a stop string.
  int heldBack() {
    int longest = 0;
    for (int length : matched) {
      longest = Math.max(longest, length);
    }
    return longest;
  }

  private static int[] failures(String stop) {
    int[] failure = new int[stop.length() + 1];
    int length = 0;
    for (int i = 1; i < stop.length(); i++) {
      while (length > 0 && stop.charAt(length) != stop.charAt(i)) {
        length = failure[length];
      }
      if (stop.charAt(length) == stop.charAt(i)) {
        length++;
      }
      failure[i + 1] = length;
    }
    return failure;
  }
}
