package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;

/// Reads tiktoken's rank files: a line for each token, its bytes in base64, a space, its rank.
final class TiktokenReader {
  private static final int NUM_SPECIAL_TOKENS = 256;

  /// Llama 3's special tokens that have a use; the rest of the 256 is called reserved. Meta's own
  /// code and Hugging Face number the reserved ones differently, and Meta's changed with versions;
  /// these are Hugging Face's, so that a name has the same id whichever file it was read from.
  private static final List<String> NAMED =
      List.of(
          "<|begin_of_text|>",
          "<|end_of_text|>",
          "<|reserved_special_token_0|>",
          "<|reserved_special_token_1|>",
          "<|finetune_right_pad_id|>",
          "<|reserved_special_token_2|>",
          "<|start_header_id|>",
          "<|end_header_id|>",
          "<|eom_id|>",
          "<|eot_id|>",
          "<|python_tag|>");

  private static final int FIRST_RESERVED_AFTER_NAMED = 3;

  private TiktokenReader() {}

  static ByteBpeTokenizer read(String source, byte[] content, TokenRoles roles) {
    if (content.length == 0) {
      throw new CheckpointException(source + ": the tokenizer file is empty; fetch it again");
    }
    return ByteBpeTokenizer.ofRanks(source, ranks(source, content), specialNames(), roles);
  }

  /// The bytes of each token, in order of rank.
  static byte[][] ranks(String source, byte[] content) {
    byte[][] ranked = new byte[1024][];
    int numTokens = 0;
    int line = 0;
    int from = 0;
    while (from < content.length) {
      int end = endOfLine(content, from);
      line++;
      int to = end > from && content[end - 1] == '\r' ? end - 1 : end;
      if (to > from) {
        int space = indexOfSpace(content, from, to);
        int rank = rank(source, line, content, space + 1, to);
        if (rank >= ranked.length) {
          ranked = Arrays.copyOf(ranked, Math.max(rank + 1, ranked.length * 2));
        }
        if (ranked[rank] != null) {
          throw new CheckpointException(
              "%s: line %d: rank %d was given to another token before"
                  .formatted(source, line, rank));
        }
        ranked[rank] = bytes(source, line, content, from, space);
        numTokens++;
      }
      from = end + 1;
    }
    ranked = Arrays.copyOf(ranked, numTokens);
    for (int rank = 0; rank < numTokens; rank++) {
      if (ranked[rank] == null) {
        throw new CheckpointException(
            "%s: %d tokens, but none has rank %d; the file is not complete"
                .formatted(source, numTokens, rank));
      }
    }
    return ranked;
  }

  static List<String> specialNames() {
    List<String> names = new ArrayList<>(NAMED);
    int reserved = FIRST_RESERVED_AFTER_NAMED;
    while (names.size() < NUM_SPECIAL_TOKENS) {
      names.add("<|reserved_special_token_" + reserved++ + "|>");
    }
    return names;
  }

  private static int endOfLine(byte[] content, int from) {
    int end = from;
    while (end < content.length && content[end] != '\n') {
      end++;
    }
    return end;
  }

  private static int indexOfSpace(byte[] content, int from, int to) {
    int at = from;
    while (at < to && content[at] != ' ') {
      at++;
    }
    return at;
  }

  private static byte[] bytes(String source, int line, byte[] content, int from, int to) {
    try {
      byte[] bytes = Base64.getDecoder().decode(Arrays.copyOfRange(content, from, to));
      if (bytes.length > 0) {
        return bytes;
      }
    } catch (IllegalArgumentException e) {
      throw badLine(source, line, "\"%s\" is not base64", content, from, to, e);
    }
    throw new CheckpointException(
        "%s: line %d: a token without bytes; the tokenizer file is damaged"
            .formatted(source, line));
  }

  private static int rank(String source, int line, byte[] content, int from, int to) {
    int rank = 0;
    for (int i = from; i < to && rank < Vocabularies.MAX_SIZE; i++) {
      int digit = content[i] - '0';
      if (digit < 0 || digit > 9) {
        throw badLine(source, line, "\"%s\" is not a rank", content, from, to, null);
      }
      rank = rank * 10 + digit;
    }
    if (from >= to) {
      throw new CheckpointException(
          "%s: line %d: no rank; lines are a token in base64, a space, and its rank"
              .formatted(source, line));
    }
    if (rank >= Vocabularies.MAX_SIZE) {
      throw badLine(source, line, "rank \"%s\" is too large", content, from, to, null);
    }
    return rank;
  }

  private static CheckpointException badLine(
      String source,
      int line,
      String fault,
      byte[] content,
      int from,
      int to,
      IllegalArgumentException cause) {
    int shown = Math.min(to - from, 40);
    String text = new String(content, from, shown, StandardCharsets.ISO_8859_1);
    return new CheckpointException(
        "%s: line %d: %s; the tokenizer file is damaged"
            .formatted(source, line, fault.formatted(text)),
        cause);
  }
}
