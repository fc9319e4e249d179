package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/// What both kinds of vocabulary check and derive in the same way.
final class Vocabularies {
  /// More entries than any vocabulary has (the largest published ones have some 260 000): larger
  /// numbers come from damaged files and would only exhaust the memory.
  static final int MAX_SIZE = 1 << 22;

  private Vocabularies() {}

  static void checkSizes(String source, int numTokens, int numTypes) {
    if (numTokens == 0) {
      throw new CheckpointException(
          source + ": the tokenizer has no tokens; fetch or convert the file again");
    }
    if (numTokens > MAX_SIZE) {
      throw new CheckpointException(
          "%s: the tokenizer has %d tokens, at most %d are supported"
              .formatted(source, numTokens, MAX_SIZE));
    }
    if (numTypes != numTokens) {
      throw new CheckpointException(
          "%s: the tokenizer has %d tokens but %d token types; convert the file again"
              .formatted(source, numTokens, numTypes));
    }
  }

  /// The special tokens of a vocabulary: every token of a type other than text, by its text, and
  /// the roles, from `stated` or by the usual names.
  static SpecialTokens specialTokens(
      String source,
      String[] tokens,
      TokenType[] types,
      TokenRoles stated,
      String bosName,
      List<String> endNames) {
    Map<String, Integer> ids = new LinkedHashMap<>();
    for (int id = 0; id < tokens.length; id++) {
      if (isSpecial(types[id])) {
        ids.putIfAbsent(tokens[id], id);
      }
    }
    OptionalInt bos = stated.bos();
    if (bos.isEmpty() && ids.containsKey(bosName)) {
      bos = OptionalInt.of(ids.get(bosName));
    }
    List<Integer> ends = new ArrayList<>();
    for (int id : stated.endOfGeneration()) {
      addOnce(ends, id);
    }
    for (String name : endNames) {
      if (ids.containsKey(name)) {
        addOnce(ends, ids.get(name));
      }
    }
    bos.ifPresent(id -> checkId(source, "begin-of-text", id, tokens.length));
    ends.forEach(id -> checkId(source, "end-of-text", id, tokens.length));
    return new SpecialTokens(ids, bos, stated.addBos().orElse(true) && bos.isPresent(), ends);
  }

  /// The tokens of one type by their text.
  static Map<String, Integer> ofType(TokenType type, String[] tokens, TokenType[] types) {
    Map<String, Integer> ids = new LinkedHashMap<>();
    for (int id = 0; id < tokens.length; id++) {
      if (types[id] == type) {
        ids.putIfAbsent(tokens[id], id);
      }
    }
    return ids;
  }

  static void requireKnown(int id, int vocabSize) {
    if (id < 0 || id >= vocabSize) {
      throw new IllegalArgumentException(
          "token %d is not in the vocabulary; ids are 0 to %d".formatted(id, vocabSize - 1));
    }
  }

  private static boolean isSpecial(TokenType type) {
    return switch (type) {
      case CONTROL, UNKNOWN, USER_DEFINED -> true;
      case NORMAL, BYTE, UNUSED -> false;
    };
  }

  private static void addOnce(List<Integer> ids, int id) {
    if (!ids.contains(id)) {
      ids.add(id);
    }
  }

  private static void checkId(String source, String role, int id, int vocabSize) {
    if (id < 0 || id >= vocabSize) {
      throw new CheckpointException(
          "%s: the %s token is %d, but the tokenizer has ids 0 to %d"
              .formatted(source, role, id, vocabSize - 1));
    }
  }
}
