package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;
import io.cusco.llama.tokenizer.JsonScanner.Token;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// Reads Hugging Face's `tokenizer.json` (`tokenizers` crate, `TokenizerImpl`) in the two forms
/// that Llamas have: BPE over bytes with Llama 3's word pattern, and BPE over characters with byte
/// fallback and U+2581 for spaces. Steps that differ from these are refused by name.
final class TokenizerJsonReader {
  private static final String SPACE_SYMBOL = "\u2581";

  private final String source;
  private final JsonScanner scanner;

  private final TokenTexts tokens;

  /// Left and right of each merge, after one another.
  private final Utf8Strings.Builder mergePairs = new Utf8Strings.Builder();

  private final List<AddedToken> addedTokens = new ArrayList<>();
  private boolean hasVocabulary;
  private boolean hasModel;
  private String modelType = "BPE";
  private String unknownToken = "";
  private boolean byteFallback;
  private boolean ignoreMerges;
  private Object normalizer;
  private Object preTokenizer;
  private Object postProcessor;

  private record AddedToken(int id, String content, boolean special) {}

  private TokenizerJsonReader(String source, byte[] content) {
    this.source = source;
    scanner = new JsonScanner(source, content);
    tokens = new TokenTexts(source);
  }

  static Tokenizer read(String source, byte[] content, TokenRoles roles) {
    TokenizerJsonReader reader = new TokenizerJsonReader(source, content);
    reader.readFile();
    return reader.toTokenizer(roles);
  }

  private void readFile() {
    scanner.next();
    require(Token.START_OBJECT, "the file");
    while (scanner.next() != Token.END_OBJECT) {
      String name = scanner.string();
      scanner.next();
      switch (name) {
        case "added_tokens" -> readAddedTokens();
        case "normalizer" -> normalizer = JsonTree.read(scanner);
        case "pre_tokenizer" -> preTokenizer = JsonTree.read(scanner);
        case "post_processor" -> postProcessor = JsonTree.read(scanner);
        case "model" -> readModel();
        default -> scanner.skipChildren();
      }
    }
    if (!hasModel) {
      throw new CheckpointException(source + ": the tokenizer has no \"model\"; fetch it again");
    }
    if (!hasVocabulary) {
      throw new CheckpointException(
          source + ": the tokenizer's model has no \"vocab\"; fetch it again");
    }
  }

  private void readAddedTokens() {
    require(Token.START_ARRAY, "added_tokens");
    while (scanner.next() != Token.END_ARRAY) {
      Object token = JsonTree.read(scanner);
      if (!(JsonTree.get(token, "id") instanceof Integer id)
          || !(JsonTree.get(token, "content") instanceof String content)) {
        throw new CheckpointException(
            "%s: added token %d has no id or no content".formatted(source, addedTokens.size()));
      }
      addedTokens.add(
          new AddedToken(id, content, Boolean.TRUE.equals(JsonTree.get(token, "special"))));
    }
  }

  private void readModel() {
    require(Token.START_OBJECT, "model");
    hasModel = true;
    while (scanner.next() != Token.END_OBJECT) {
      String name = scanner.string();
      Token value = scanner.next();
      switch (name) {
        case "type" -> modelType = value == Token.STRING ? scanner.string() : "";
        case "unk_token" -> unknownToken = value == Token.STRING ? scanner.string() : "";
        case "byte_fallback" -> byteFallback = value == Token.TRUE;
        case "ignore_merges" -> ignoreMerges = value == Token.TRUE;
        case "vocab" -> {
          // Unigram models have a list here.
          if (modelType.equals("BPE")) {
            readVocabulary();
          } else {
            scanner.skipChildren();
          }
        }
        case "merges" -> readMerges();
        default -> scanner.skipChildren();
      }
    }
    if (!modelType.equals("BPE")) {
      throw new CheckpointException(
          "%s: the tokenizer's model type is \"%s\"; only BPE, which every Llama uses, is supported"
              .formatted(source, modelType));
    }
  }

  private void readVocabulary() {
    require(Token.START_OBJECT, "model.vocab");
    hasVocabulary = true;
    while (scanner.next() != Token.END_OBJECT) {
      // An escaped name lies in the scanner's scratch, which an integer leaves alone.
      byte[] bytes = scanner.bytes();
      int start = scanner.start();
      int end = scanner.end();
      if (scanner.next() != Token.INTEGER) {
        throw new CheckpointException(
            "%s: model.vocab: token \"%s\" has no integer for an id; the tokenizer's JSON is damaged"
                .formatted(source, new String(bytes, start, end - start, StandardCharsets.UTF_8)));
      }
      tokens.put(scanner.integer(), bytes, start, end);
    }
  }

  /// A merge is `"left right"`, or `["left", "right"]` in files written since 2024.
  private void readMerges() {
    require(Token.START_ARRAY, "model.merges");
    while (scanner.next() != Token.END_ARRAY) {
      int index = mergePairs.size() / 2;
      if (scanner.token() == Token.STRING) {
        byte[] bytes = scanner.bytes();
        int start = scanner.start();
        int end = scanner.end();
        int space = start;
        while (space < end && bytes[space] != ' ') {
          space++;
        }
        if (space == start || space >= end - 1) {
          throw badMerge(index);
        }
        mergePairs.add(bytes, start, space);
        mergePairs.add(bytes, space + 1, end);
      } else {
        if (scanner.token() != Token.START_ARRAY) {
          throw badMerge(index);
        }
        for (int side = 0; side < 2; side++) {
          if (scanner.next() != Token.STRING) {
            throw badMerge(index);
          }
          mergePairs.add(scanner.bytes(), scanner.start(), scanner.end());
        }
        if (scanner.next() != Token.END_ARRAY) {
          throw badMerge(index);
        }
      }
    }
  }

  private CheckpointException badMerge(int index) {
    return new CheckpointException(
        "%s: merge %d is not two tokens (\"left right\" or [\"left\", \"right\"])"
            .formatted(source, index));
  }

  private Tokenizer toTokenizer(TokenRoles stated) {
    for (AddedToken added : addedTokens) {
      byte[] content = Utf8.encode(added.content());
      tokens.put(added.id(), content, 0, content.length);
    }
    TokenType[] types = types();
    Utf8Strings texts = tokens.build();
    TokenRoles roles = roles(stated);
    if (find(preTokenizer, "pretokenizers", "ByteLevel").isPresent()) {
      requireLlama3Words();
      return ByteBpeTokenizer.ofMerges(
          source, texts, types, mergePairs.build(), ignoreMerges, roles);
    }
    boolean addDummyPrefix = requireMetaspace();
    String[] pieces = new String[texts.size()];
    for (int id = 0; id < pieces.length; id++) {
      pieces[id] = texts.get(id);
    }
    return SentencePieceTokenizer.ofMerges(
        source, pieces, types, mergePairs.build(), addDummyPrefix, roles);
  }

  /// Gives ids without a token, which no text becomes, a name.
  private TokenType[] types() {
    byte[] unknown = Utf8.encode(unknownToken);
    TokenType[] types = new TokenType[tokens.size()];
    for (int id = 0; id < types.length; id++) {
      if (!tokens.has(id)) {
        byte[] name = Utf8.encode("<unused " + id + ">");
        tokens.put(id, name, 0, name.length);
        types[id] = TokenType.UNUSED;
      } else if (byteFallback && SentencePieceTokenizer.byteValue(tokens.get(id)) >= 0) {
        types[id] = TokenType.BYTE;
      } else {
        types[id] = tokens.equals(id, unknown) ? TokenType.UNKNOWN : TokenType.NORMAL;
      }
    }
    for (AddedToken added : addedTokens) {
      if (types[added.id()] == TokenType.NORMAL) {
        types[added.id()] = added.special() ? TokenType.CONTROL : TokenType.USER_DEFINED;
      }
    }
    return types;
  }

  /// What the post-processor puts before a text is the begin-of-text token.
  private TokenRoles roles(TokenRoles stated) {
    Optional<?> template = find(postProcessor, "processors", "TemplateProcessing");
    if (template.isEmpty()) {
      return stated;
    }
    List<?> single = JsonTree.list(template.get(), "single");
    Object first = single.isEmpty() ? null : JsonTree.get(single.getFirst(), "SpecialToken");
    String name = JsonTree.text(first, "id");
    Object entry = JsonTree.get(JsonTree.get(template.get(), "special_tokens"), name);
    List<?> ids = JsonTree.list(entry, "ids");
    boolean hasBos = !ids.isEmpty() && ids.getFirst() instanceof Integer;
    OptionalInt bos = stated.bos();
    if (bos.isEmpty() && hasBos && ids.getFirst() instanceof Integer id) {
      bos = OptionalInt.of(id);
    }
    return new TokenRoles(
        bos, Optional.of(stated.addBos().orElse(hasBos)), stated.endOfGeneration());
  }

  private void requireLlama3Words() {
    if (normalizer != null) {
      throw unsupported("normalizer " + JsonTree.text(normalizer, "type"));
    }
    Optional<?> byteLevel = find(preTokenizer, "pretokenizers", "ByteLevel");
    if (Boolean.TRUE.equals(JsonTree.get(byteLevel.orElse(null), "add_prefix_space"))) {
      throw unsupported("pre_tokenizer ByteLevel with add_prefix_space");
    }
    Optional<?> split = find(preTokenizer, "pretokenizers", "Split");
    String pattern = JsonTree.text(JsonTree.get(split.orElse(null), "pattern"), "Regex");
    if (!pattern.equals(Llama3Split.PATTERN)) {
      throw unsupported(
          pattern.isEmpty()
              ? "a pre_tokenizer without Llama 3's word pattern"
              : "the word pattern " + pattern);
    }
  }

  /// Whether a text gets a space in front. Files express "space in front, U+2581 for spaces" as two
  /// normalizers, or as the pre-tokenizer `Metaspace`.
  private boolean requireMetaspace() {
    Optional<?> metaspace = find(preTokenizer, "pretokenizers", "Metaspace");
    if (metaspace.isPresent()) {
      Object step = metaspace.get();
      if (!SPACE_SYMBOL.equals(JsonTree.get(step, "replacement"))) {
        throw unsupported("a Metaspace pre_tokenizer with another replacement than U+2581");
      }
      if (Boolean.TRUE.equals(JsonTree.get(step, "split"))) {
        throw unsupported("a Metaspace pre_tokenizer that splits");
      }
      String scheme = JsonTree.text(step, "prepend_scheme");
      return scheme.isEmpty()
          ? !Boolean.FALSE.equals(JsonTree.get(step, "add_prefix_space"))
          : !scheme.equals("never");
    }
    if (preTokenizer != null) {
      throw unsupported("pre_tokenizer " + JsonTree.text(preTokenizer, "type"));
    }
    Optional<?> replace = find(normalizer, "normalizers", "Replace");
    if (!SPACE_SYMBOL.equals(JsonTree.get(replace.orElse(null), "content"))) {
      throw unsupported("no step that writes spaces as U+2581");
    }
    Optional<?> prepend = find(normalizer, "normalizers", "Prepend");
    return prepend.isPresent() && JsonTree.text(prepend.get(), "prepend").equals(SPACE_SYMBOL);
  }

  private CheckpointException unsupported(String what) {
    return new CheckpointException(
        "%s: the tokenizer has %s; only the tokenizers of Llama 2 and Llama 3 are supported"
            .formatted(source, what));
  }

  /// The step of type `type`, alone or inside a `Sequence` whose steps are listed under `listName`.
  private static Optional<?> find(Object step, String listName, String type) {
    if (JsonTree.text(step, "type").equals(type)) {
      return Optional.of(step);
    }
    return JsonTree.list(step, listName).stream()
        .filter(inner -> JsonTree.text(inner, "type").equals(type))
        .findFirst();
  }

  private void require(Token expected, String what) {
    if (scanner.token() != expected) {
      throw new CheckpointException(
          "%s: not a tokenizer: %s is %s instead of %s"
              .formatted(
                  source,
                  what,
                  scanner.token(),
                  expected == Token.START_OBJECT ? "an object" : "a list"));
    }
  }
}
