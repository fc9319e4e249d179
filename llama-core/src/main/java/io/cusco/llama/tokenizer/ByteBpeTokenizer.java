package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;
import java.util.List;
import java.util.Set;

/// Byte-level BPE with Llama 3's word pattern: the tokenizer of Llama 3, 3.1, 3.2 and 3.3.
///
/// The text is cut into words ([Llama3Split]); a word that is a token as a whole becomes that token
/// (where the vocabulary asks for this), any other starts as single bytes that merge, the lowest
/// rank first. Every text can be encoded, and decoding gives the same bytes back.
public final class ByteBpeTokenizer implements Tokenizer {
  private static final String BOS_NAME = "<|begin_of_text|>";
  private static final List<String> END_NAMES =
      List.of("<|end_of_text|>", "<|eot_id|>", "<|eom_id|>");

  /// Tokens that are structure whatever their type says: some converted files list them as text.
  private static final Set<String> ALWAYS_CONTROL =
      Set.of(
          BOS_NAME,
          "<|end_of_text|>",
          "<|start_header_id|>",
          "<|end_header_id|>",
          "<|eom_id|>",
          "<|eot_id|>",
          "<|python_tag|>");

  /// `tokenizer.ggml.pre` values of Llama 3's word pattern whose words are looked up whole first.
  private static final Set<String> LLAMA3_PRE_TOKENIZERS =
      Set.of("llama-bpe", "llama-v3", "llama3");

  /// The same pattern without that look-up (llama.cpp's `llama-vocab.cpp`).
  private static final String SMAUG_PRE_TOKENIZER = "smaug-bpe";

  private final String[] names;
  private final TokenType[] types;
  private final PieceTable pieces;
  private final MergeTable merges;
  private final boolean wholeWordsFirst;
  private final int[] byteIds;
  private final TextMatcher userDefined;
  private final TextMatcher special;
  private final SpecialTokens specialTokens;

  /// @param names the text of special and user-defined tokens; null for others, which are decoded
  ///   from their bytes
  private ByteBpeTokenizer(
      String source,
      String[] names,
      TokenType[] types,
      PieceTable pieces,
      MergeTable merges,
      boolean wholeWordsFirst,
      TokenRoles roles) {
    this.names = names;
    this.types = types;
    this.pieces = pieces;
    this.merges = merges;
    this.wholeWordsFirst = wholeWordsFirst;
    byteIds = byteIds(source, pieces);
    specialTokens = Vocabularies.specialTokens(source, names, types, roles, BOS_NAME, END_NAMES);
    special = new TextMatcher(specialTokens.ids());
    userDefined = new TextMatcher(Vocabularies.ofType(TokenType.USER_DEFINED, names, types));
  }

  /// A vocabulary with merges, as GGUF's `gpt2` vocabularies have it.
  ///
  /// @param source what to call the file in messages
  /// @param tokens the text of each id, bytes spelled in GPT-2's alphabet (`tokenizer.ggml.tokens`)
  /// @param types one for each token (`tokenizer.ggml.token_type`)
  /// @param merges `"left right"` in order of precedence (`tokenizer.ggml.merges`)
  /// @param preTokenizer how text is cut into words (`tokenizer.ggml.pre`)
  /// @param roles what the file states about begin and end of text
  /// @throws CheckpointException if the vocabulary is not consistent, or is cut into words in a way
  ///   that is not Llama 3's
  public static ByteBpeTokenizer of(
      String source,
      Utf8Strings tokens,
      int[] types,
      Utf8Strings merges,
      String preTokenizer,
      TokenRoles roles) {
    boolean wholeWordsFirst = LLAMA3_PRE_TOKENIZERS.contains(preTokenizer);
    if (!wholeWordsFirst && !preTokenizer.equals(SMAUG_PRE_TOKENIZER)) {
      throw new CheckpointException(
          "%s: pre-tokenizer \"%s\" is not one of Llama's (llama-bpe, llama-v3, llama3, %s);"
                  .formatted(source, preTokenizer, SMAUG_PRE_TOKENIZER)
              + " if it is a Llama, convert it again with a present converter");
    }
    if (merges.size() == 0) {
      throw new CheckpointException(
          source + ": the tokenizer has no merges (tokenizer.ggml.merges); convert the file again");
    }
    Vocabularies.checkSizes(source, tokens.size(), types.length);
    return ofMerges(
        source,
        tokens,
        TokenType.ofNumbers(source, types),
        mergePairs(source, merges),
        wholeWordsFirst,
        roles);
  }

  /// Left and right of each `"left right"`, after one another, in the same bytes.
  private static Utf8Strings mergePairs(String source, Utf8Strings merges) {
    byte[] bytes = merges.bytes();
    int[] starts = new int[Math.multiplyExact(merges.size(), 2)];
    int[] ends = new int[starts.length];
    for (int i = 0; i < merges.size(); i++) {
      int start = merges.start(i);
      int end = merges.end(i);
      int space = start;
      while (space < end && bytes[space] != ' ') {
        space++;
      }
      if (space == start || space >= end - 1) {
        throw new CheckpointException(
            "%s: merge %d is \"%s\" instead of two tokens with a space between"
                .formatted(source, i, merges.get(i)));
      }
      starts[2 * i] = start;
      ends[2 * i] = space;
      starts[2 * i + 1] = space + 1;
      ends[2 * i + 1] = end;
    }
    return new Utf8Strings(bytes, starts, ends);
  }

  /// @param types taken over and changed
  /// @param mergePairs left and right of each merge, after one another
  static ByteBpeTokenizer ofMerges(
      String source,
      Utf8Strings tokens,
      TokenType[] types,
      Utf8Strings mergePairs,
      boolean wholeWordsFirst,
      TokenRoles roles) {
    Vocabularies.checkSizes(source, tokens.size(), types.length);
    String[] names = names(tokens, types);
    PieceTable pieces = pieceTable(source, tokens, types);
    MergeTable merges = new MergeTable(mergePairs.size() / 2);
    byte[] utf8 = mergePairs.bytes();
    byte[] bytes = new byte[64];
    for (int i = 0; i + 1 < mergePairs.size(); i += 2) {
      int leftStart = mergePairs.start(i);
      int leftEnd = mergePairs.end(i);
      int rightStart = mergePairs.start(i + 1);
      int rightEnd = mergePairs.end(i + 1);
      int most = leftEnd - leftStart + rightEnd - rightStart;
      if (most > bytes.length) {
        bytes = new byte[most * 2];
      }
      int middle = ByteAlphabet.decode(utf8, leftStart, leftEnd, bytes, 0);
      int end =
          middle < 0 ? middle : ByteAlphabet.decode(utf8, rightStart, rightEnd, bytes, middle);
      int leftId = end < 0 ? end : pieces.find(bytes, 0, middle);
      int rightId = end < 0 ? end : pieces.find(bytes, middle, end);
      int mergedId = end < 0 ? end : pieces.find(bytes, 0, end);
      if (leftId < 0 || rightId < 0 || mergedId < 0) {
        throw new CheckpointException(
            "%s: merge %d joins \"%s\" and \"%s\", but they or the result are not in the vocabulary"
                .formatted(source, i / 2, mergePairs.get(i), mergePairs.get(i + 1)));
      }
      merges.add(leftId, rightId, i / 2, mergedId);
    }
    return new ByteBpeTokenizer(source, names, types, pieces, merges, wholeWordsFirst, roles);
  }

  /// The texts of all tokens but the normal ones; makes those control tokens that always are.
  private static String[] names(Utf8Strings tokens, TokenType[] types) {
    String[] names = new String[types.length];
    for (int id = 0; id < names.length; id++) {
      boolean normal = types[id] == TokenType.NORMAL;
      if (normal
          && (tokens.start(id) == tokens.end(id) || tokens.bytes()[tokens.start(id)] != '<')) {
        continue; // no name in ALWAYS_CONTROL, and most of a vocabulary
      }
      String name = tokens.get(id);
      if (ALWAYS_CONTROL.contains(name)) {
        types[id] = TokenType.CONTROL;
      }
      if (types[id] != TokenType.NORMAL) {
        names[id] = name;
      }
    }
    return names;
  }

  /// A vocabulary whose ids are the ranks, as tiktoken has it: any two tokens whose joint bytes are
  /// a token merge into it, the lowest id first.
  ///
  /// @param ranked the bytes of each ordinary token, in order of rank
  /// @param specialNames the special tokens, whose ids follow
  static ByteBpeTokenizer ofRanks(
      String source, byte[][] ranked, List<String> specialNames, TokenRoles roles) {
    int size = ranked.length + specialNames.size();
    Vocabularies.checkSizes(source, size, size);
    String[] names = new String[size];
    TokenType[] types = new TokenType[size];
    PieceTable pieces = new PieceTable(size);
    for (int id = 0; id < size; id++) {
      boolean ordinary = id < ranked.length;
      types[id] = ordinary ? TokenType.NORMAL : TokenType.CONTROL;
      if (ordinary) {
        pieces.add(ranked[id], 0, ranked[id].length);
      } else {
        names[id] = specialNames.get(id - ranked.length);
        pieces.addHidden(new byte[0], 0, 0);
      }
    }
    MergeTable merges = new MergeTable(ranked.length * 2);
    for (int id = 0; id < ranked.length; id++) {
      merges.addSplits(pieces, ranked[id], id, id, false);
    }
    return new ByteBpeTokenizer(source, names, types, pieces, merges, true, roles);
  }

  @Override
  public int vocabSize() {
    return types.length;
  }

  @Override
  public SpecialTokens specialTokens() {
    return specialTokens;
  }

  @Override
  public int[] encode(String text) {
    return encode(text, userDefined);
  }

  @Override
  public int[] encodeContinuation(String text) {
    return encode(text);
  }

  @Override
  public int[] encodeWithSpecialTokens(String text) {
    return encode(text, special);
  }

  @Override
  public byte[] tokenBytes(int id) {
    Vocabularies.requireKnown(id, types.length);
    return pieces.bytesOf(id);
  }

  @Override
  public String tokenName(int id) {
    Vocabularies.requireKnown(id, types.length);
    return switch (types[id]) {
      case CONTROL, UNKNOWN, USER_DEFINED, UNUSED -> names[id];
      case NORMAL, BYTE -> decode(id);
    };
  }

  @Override
  public String decode(int... ids) {
    Utf8Stream stream = new Utf8Stream();
    StringBuilder text = new StringBuilder();
    for (int id : ids) {
      stream.append(tokenBytes(id), text);
    }
    stream.finish(text);
    return text.toString();
  }

  private int[] encode(String text, TextMatcher matcher) {
    IdBuffer ids = new IdBuffer(text.length() / 3);
    Words words = new Words();
    int start = 0;
    int at = matcher.isEmpty() ? text.length() : 0;
    while (at < text.length()) {
      int match = matcher.matchAt(text, at);
      if (match < 0) {
        at++;
        continue;
      }
      words.encode(text, start, at, ids);
      ids.add(matcher.id(match));
      at += matcher.length(match);
      start = at;
    }
    words.encode(text, start, text.length(), ids);
    return ids.toArray();
  }

  /// Encodes words one by one; the scratch space of one call.
  private final class Words {
    private final BpeMerger symbols = new BpeMerger();
    private byte[] utf8 = new byte[256];

    void encode(String text, int from, int to, IdBuffer ids) {
      int start = from;
      while (start < to) {
        int end = Llama3Split.next(text, start, to);
        if ((end - start) * (long) Utf8.MAX_BYTES_PER_CHAR > utf8.length) {
          utf8 = Utf8.newBuffer(end - start);
        }
        encodeWord(Utf8.encode(text, start, end, utf8, 0), ids);
        start = end;
      }
    }

    private void encodeWord(int length, IdBuffer ids) {
      if (wholeWordsFirst) {
        int id = pieces.find(utf8, 0, length);
        if (id != PieceTable.NOT_FOUND) {
          ids.add(id);
          return;
        }
      }
      symbols.clear();
      for (int i = 0; i < length; i++) {
        symbols.add(byteIds[utf8[i] & 0xFF], i);
      }
      symbols.merge(merges);
      for (int symbol = symbols.first(); symbol >= 0; symbol = symbols.next(symbol)) {
        ids.add(symbols.id(symbol));
      }
    }
  }

  private static PieceTable pieceTable(String source, Utf8Strings tokens, TokenType[] types) {
    PieceTable pieces = new PieceTable(tokens.size());
    byte[] utf8 = tokens.bytes();
    byte[] bytes = new byte[64];
    for (int id = 0; id < tokens.size(); id++) {
      int start = tokens.start(id);
      int end = tokens.end(id);
      switch (types[id]) {
        case CONTROL, UNKNOWN, UNUSED -> pieces.addHidden(bytes, 0, 0);
        case USER_DEFINED -> pieces.add(utf8, start, end);
        case NORMAL, BYTE -> {
          if (end - start > bytes.length) {
            bytes = new byte[(end - start) * 2];
          }
          int length = ByteAlphabet.decode(utf8, start, end, bytes, 0);
          if (length < 0) {
            throw new CheckpointException(
                "%s: token %d (\"%s\") has characters outside GPT-2's byte alphabet"
                    .formatted(source, id, tokens.get(id)));
          }
          pieces.add(bytes, 0, length);
        }
      }
    }
    return pieces;
  }

  private static int[] byteIds(String source, PieceTable pieces) {
    int[] ids = new int[256];
    for (int b = 0; b < 256; b++) {
      ids[b] = pieces.find(new byte[] {(byte) b}, 0, 1);
      if (ids[b] == PieceTable.NOT_FOUND) {
        throw new CheckpointException(
            "%s: the tokenizer has no token for the byte 0x%02X, so some text could not be encoded"
                .formatted(source, b));
      }
    }
    return ids;
  }
}
