package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/// SentencePiece BPE, the tokenizer of LLaMA 1, Llama 2 and Code Llama.
///
/// The text gets a space in front, spaces become U+2581 ("▁"), and neighbouring pieces merge, the
/// best score first, until nothing more can. A character that is not in the vocabulary becomes its
/// UTF-8 bytes. Written after sentencepiece's `bpe_model.cc` and `normalizer.cc`; checked against
/// its output. The one difference: pieces of type "unused" are never produced, not even on the way
/// to another piece (no Llama vocabulary has such a piece that matters).
public final class SentencePieceTokenizer implements Tokenizer {
  private static final char SPACE_SYMBOL = '\u2581';

  /// What an unknown piece decodes to: the default of sentencepiece's `TrainerSpec.unk_surface`.
  private static final String UNKNOWN_TEXT = " \u2047 ";

  private static final String BOS_NAME = "<s>";
  private static final List<String> END_NAMES = List.of("</s>");
  private static final int NO_TOKEN = -1;

  private final String[] names;
  private final TokenType[] types;
  private final boolean addDummyPrefix;

  /// The vocabulary, and behind it single characters that are not in it but occur in its pieces:
  /// they can merge into something.
  private final PieceTable pieces;

  private final MergeTable merges;
  private final int[] byteIds;
  private final int unknownId;
  private final TextMatcher userDefined;
  private final TextMatcher special;
  private final SpecialTokens specialTokens;

  private SentencePieceTokenizer(
      String source,
      String[] names,
      TokenType[] types,
      boolean addDummyPrefix,
      TokenRoles roles,
      PieceTable pieces,
      MergeTable merges) {
    this.names = names;
    this.types = types;
    this.addDummyPrefix = addDummyPrefix;
    this.pieces = pieces;
    this.merges = merges;
    byteIds = byteIds(source, names, types);
    unknownId = Arrays.asList(types).indexOf(TokenType.UNKNOWN);
    if (unknownId == NO_TOKEN && Arrays.stream(byteIds).anyMatch(id -> id == NO_TOKEN)) {
      throw new CheckpointException(
          source
              + ": the tokenizer has neither all 256 byte pieces nor an unknown piece, so some text"
              + " could not be encoded; convert the file again");
    }
    specialTokens = Vocabularies.specialTokens(source, names, types, roles, BOS_NAME, END_NAMES);
    special = new TextMatcher(specialTokens.ids());
    userDefined = new TextMatcher(Vocabularies.ofType(TokenType.USER_DEFINED, names, types));
  }

  /// A vocabulary with scores, as sentencepiece models and GGUF's `llama` vocabularies have it.
  ///
  /// @param source what to call the file in messages
  /// @param pieces the text of each id, spaces written as U+2581
  /// @param scores one for each piece; the pair with the highest merges first
  /// @param types one for each piece: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6
  ///   byte (`tokenizer.ggml.token_type`)
  /// @param addDummyPrefix whether a text gets a space in front; true for every Llama
  ///   (`tokenizer.ggml.add_space_prefix`)
  /// @param roles what the file states about begin and end of text
  /// @throws CheckpointException if the vocabulary is not consistent
  public static SentencePieceTokenizer of(
      String source,
      String[] pieces,
      float[] scores,
      int[] types,
      boolean addDummyPrefix,
      TokenRoles roles) {
    Vocabularies.checkSizes(source, pieces.length, types.length);
    if (scores.length != pieces.length) {
      throw new CheckpointException(
          "%s: the tokenizer has %d tokens but %d scores; convert the file again"
              .formatted(source, pieces.length, scores.length));
    }
    String[] names = pieces.clone();
    TokenType[] tokenTypes = TokenType.ofNumbers(source, types);
    int[] ranks = ranks(source, names, scores);
    PieceTable table = pieceTable(names, tokenTypes);
    addSingleCharacters(table, names.length, tokenTypes);
    MergeTable merges = new MergeTable(names.length * 2);
    for (int id = 0; id < names.length; id++) {
      if (tokenTypes[id] == TokenType.NORMAL) {
        merges.addSplits(table, table.bytesOf(id), id, ranks[id], true);
      }
    }
    return new SentencePieceTokenizer(
        source, names, tokenTypes, addDummyPrefix, roles, table, merges);
  }

  /// A vocabulary with merges in order of precedence, as tokenizer.json has it.
  ///
  /// @param mergePairs left and right of each merge, after one another
  static SentencePieceTokenizer ofMerges(
      String source,
      String[] pieces,
      TokenType[] types,
      Utf8Strings mergePairs,
      boolean addDummyPrefix,
      TokenRoles roles) {
    Vocabularies.checkSizes(source, pieces.length, types.length);
    PieceTable table = pieceTable(pieces, types);
    MergeTable merges = new MergeTable(mergePairs.size() / 2);
    byte[] utf8 = mergePairs.bytes();
    for (int i = 0; i + 1 < mergePairs.size(); i += 2) {
      int leftLength = mergePairs.end(i) - mergePairs.start(i);
      int rightLength = mergePairs.end(i + 1) - mergePairs.start(i + 1);
      byte[] both = new byte[leftLength + rightLength];
      System.arraycopy(utf8, mergePairs.start(i), both, 0, leftLength);
      System.arraycopy(utf8, mergePairs.start(i + 1), both, leftLength, rightLength);
      int leftId = table.find(both, 0, leftLength);
      int rightId = table.find(both, leftLength, both.length);
      int mergedId = table.find(both, 0, both.length);
      if (leftId < 0 || rightId < 0 || mergedId < 0) {
        throw new CheckpointException(
            "%s: merge %d joins \"%s\" and \"%s\", but they or the result are not in the vocabulary"
                .formatted(source, i / 2, mergePairs.get(i), mergePairs.get(i + 1)));
      }
      merges.add(leftId, rightId, i / 2, mergedId);
    }
    return new SentencePieceTokenizer(source, pieces, types, addDummyPrefix, roles, table, merges);
  }

  @Override
  public int vocabSize() {
    return names.length;
  }

  @Override
  public SpecialTokens specialTokens() {
    return specialTokens;
  }

  @Override
  public int[] encode(String text) {
    IdBuffer ids = new IdBuffer(text.length() / 2);
    encode(text, 0, text.length(), addDummyPrefix, ids);
    return ids.toArray();
  }

  @Override
  public int[] encodeContinuation(String text) {
    IdBuffer ids = new IdBuffer(text.length() / 2);
    encode(text, 0, text.length(), false, ids);
    return ids.toArray();
  }

  /// The text between two special tokens is encoded as a text of its own, with a space in front, as
  /// llama.cpp and Hugging Face's `legacy` tokenizer do.
  @Override
  public int[] encodeWithSpecialTokens(String text) {
    IdBuffer ids = new IdBuffer(text.length() / 2);
    int start = 0;
    int at = 0;
    while (at < text.length()) {
      int match = special.matchAt(text, at);
      if (match < 0) {
        at++;
        continue;
      }
      encode(text, start, at, addDummyPrefix, ids);
      ids.add(special.id(match));
      at += special.length(match);
      start = at;
    }
    encode(text, start, text.length(), addDummyPrefix, ids);
    return ids.toArray();
  }

  @Override
  public byte[] tokenBytes(int id) {
    Vocabularies.requireKnown(id, names.length);
    return switch (types[id]) {
      case CONTROL, UNKNOWN -> new byte[0];
      case BYTE -> new byte[] {(byte) byteValue(names[id])};
      case NORMAL, USER_DEFINED, UNUSED -> Utf8.encode(withSpaces(names[id]));
    };
  }

  @Override
  public String tokenName(int id) {
    Vocabularies.requireKnown(id, names.length);
    return withSpaces(names[id]);
  }

  /// As sentencepiece decodes: an unknown piece is written " ⁇ ", and of bytes that are no UTF-8
  /// each becomes a U+FFFD of its own.
  @Override
  public String decode(int... ids) {
    StringBuilder text = new StringBuilder();
    byte[] run = new byte[ids.length];
    int runLength = 0;
    boolean droppable = addDummyPrefix;
    for (int id : ids) {
      Vocabularies.requireKnown(id, names.length);
      if (types[id] == TokenType.BYTE) {
        run[runLength++] = (byte) byteValue(names[id]);
        continue;
      }
      appendBytes(run, runLength, text);
      runLength = 0;
      switch (types[id]) {
        case CONTROL, BYTE -> {}
        case UNKNOWN -> text.append(UNKNOWN_TEXT);
        case NORMAL, USER_DEFINED, UNUSED -> {
          boolean drop = droppable && text.isEmpty() && names[id].indexOf(SPACE_SYMBOL) == 0;
          droppable &= !drop;
          text.append(withSpaces(drop ? names[id].substring(1) : names[id]));
        }
      }
    }
    appendBytes(run, runLength, text);
    return text.toString();
  }

  private void encode(String text, int from, int to, boolean addPrefix, IdBuffer ids) {
    if (from == to) {
      return;
    }
    String escaped =
        (addPrefix ? String.valueOf(SPACE_SYMBOL) : "")
            + text.substring(from, to).replace(' ', SPACE_SYMBOL);
    byte[] utf8 = Utf8.newBuffer(escaped.length());
    int utf8Length = 0;
    BpeMerger symbols = new BpeMerger();
    int at = 0;
    while (at < escaped.length()) {
      int match = userDefined.isEmpty() ? -1 : userDefined.matchAt(escaped, at);
      int length =
          match >= 0 ? userDefined.length(match) : Character.charCount(escaped.codePointAt(at));
      int start = utf8Length;
      utf8Length = Utf8.encode(escaped, at, at + length, utf8, start);
      symbols.add(match >= 0 ? userDefined.id(match) : pieces.find(utf8, start, utf8Length), start);
      at += length;
    }
    symbols.merge(merges);
    for (int symbol = symbols.first(); symbol >= 0; symbol = symbols.next(symbol)) {
      int id = symbols.id(symbol);
      if (id >= 0 && id < names.length) {
        ids.add(id);
      } else {
        int next = symbols.next(symbol);
        addUnknown(utf8, symbols.start(symbol), next < 0 ? utf8Length : symbols.start(next), ids);
      }
    }
  }

  /// The bytes of a character; where the vocabulary lacks them, one unknown token for a whole run
  /// of such characters.
  private void addUnknown(byte[] utf8, int from, int to, IdBuffer ids) {
    boolean complete = true;
    for (int i = from; i < to; i++) {
      complete &= byteIds[utf8[i] & 0xFF] != NO_TOKEN;
    }
    if (complete) {
      for (int i = from; i < to; i++) {
        ids.add(byteIds[utf8[i] & 0xFF]);
      }
    } else if (ids.size() == 0 || ids.last() != unknownId) {
      ids.add(unknownId);
    }
  }

  /// Decodes a run of byte pieces; every byte that belongs to no character becomes U+FFFD.
  private static void appendBytes(byte[] bytes, int length, StringBuilder text) {
    int from = 0;
    while (from < length) {
      int characterLength = Utf8.characterLength(bytes, from, length);
      if (characterLength == 0) {
        text.append('\uFFFD');
        from++;
      } else {
        text.append(new String(bytes, from, characterLength, StandardCharsets.UTF_8));
        from += characterLength;
      }
    }
  }

  private static String withSpaces(String piece) {
    return piece.replace(SPACE_SYMBOL, ' ');
  }

  private static PieceTable pieceTable(String[] names, TokenType[] types) {
    PieceTable table = new PieceTable(names.length);
    for (int id = 0; id < names.length; id++) {
      byte[] utf8 = Utf8.encode(names[id]);
      switch (types[id]) {
        case NORMAL, USER_DEFINED -> table.add(utf8, 0, utf8.length);
        // Their names are no text: "<s>" and "<0x41>" in a text are ordinary characters.
        case UNKNOWN, CONTROL, UNUSED, BYTE -> table.addHidden(utf8, 0, utf8.length);
      }
    }
    return table;
  }

  private static void addSingleCharacters(PieceTable table, int vocabSize, TokenType[] types) {
    for (int id = 0; id < vocabSize; id++) {
      if (types[id] != TokenType.NORMAL) {
        continue;
      }
      byte[] piece = table.bytesOf(id);
      int from = 0;
      for (int to = 1; to <= piece.length; to++) {
        if (to < piece.length && Utf8.isContinuation(piece[to])) {
          continue;
        }
        if (table.find(piece, from, to) == PieceTable.NOT_FOUND) {
          table.add(piece, from, to);
        }
        from = to;
      }
    }
  }

  /// Scores as ranks: 0 for the highest, equal ranks for equal scores.
  private static int[] ranks(String source, String[] names, float[] scores) {
    float[] sorted = new float[scores.length];
    for (int id = 0; id < scores.length; id++) {
      if (Float.isNaN(scores[id])) {
        throw new CheckpointException(
            "%s: token %d (\"%s\") has no number for a score; the tokenizer is damaged"
                .formatted(source, id, names[id]));
      }
      // Makes 0 of -0, which binarySearch tells apart.
      sorted[id] = scores[id] + 0.0f;
    }
    Arrays.sort(sorted);
    int distinct = 0;
    for (float score : sorted) {
      if (distinct == 0 || sorted[distinct - 1] != score) {
        sorted[distinct++] = score;
      }
    }
    int[] ranks = new int[scores.length];
    for (int id = 0; id < scores.length; id++) {
      ranks[id] = distinct - 1 - Arrays.binarySearch(sorted, 0, distinct, scores[id] + 0.0f);
    }
    return ranks;
  }

  private static int[] byteIds(String source, String[] names, TokenType[] types) {
    int[] ids = new int[256];
    Arrays.fill(ids, NO_TOKEN);
    for (int id = 0; id < names.length; id++) {
      if (types[id] == TokenType.BYTE) {
        int value = byteValue(names[id]);
        if (value < 0) {
          throw new CheckpointException(
              "%s: byte token %d is called \"%s\" instead of \"<0x00>\" to \"<0xFF>\""
                  .formatted(source, id, names[id]));
        }
        ids[value] = id;
      }
    }
    return ids;
  }

  /// The byte that `<0xAB>` names; negative if `name` is something else.
  static int byteValue(String name) {
    if (name.length() != 6 || !name.startsWith("<0x") || name.charAt(5) != '>') {
      return -1;
    }
    int high = Character.digit(name.charAt(3), 16);
    int low = Character.digit(name.charAt(4), 16);
    return high < 0 || low < 0 ? -1 : (high << 4) | low;
  }
}
