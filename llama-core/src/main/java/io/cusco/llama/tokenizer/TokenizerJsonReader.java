package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;

/// Reads Hugging Face's `tokenizer.json` (`tokenizers` crate, `TokenizerImpl`) in the two forms
/// that Llamas have: BPE over bytes with Llama 3's word pattern, and BPE over characters with byte
/// fallback and U+2581 for spaces. Steps that differ from these are refused by name.
final class TokenizerJsonReader {
  /// The 128 000 keys of a vocabulary are all different: a symbol table of names would only cost.
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
          .disable(TokenStreamFactory.Feature.INTERN_PROPERTY_NAMES)
          .build();

  private static final String SPACE_SYMBOL = "\u2581";

  private final String source;
  private final JsonParser parser;

  private String[] tokens = new String[1024];
  private int vocabSize;

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

  private TokenizerJsonReader(String source, JsonParser parser) {
    this.source = source;
    this.parser = parser;
  }

  static Tokenizer read(String source, byte[] content, TokenRoles roles) {
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), content)) {
      TokenizerJsonReader reader = new TokenizerJsonReader(source, parser);
      reader.readFile();
      return reader.toTokenizer(roles);
    } catch (JacksonException e) {
      throw new CheckpointException(
          "%s: the tokenizer is not valid JSON: %s".formatted(source, e.getOriginalMessage()), e);
    }
  }

  private void readFile() {
    parser.nextToken();
    require(JsonToken.START_OBJECT, "the file");
    for (String name = parser.nextName(); name != null; name = parser.nextName()) {
      parser.nextToken();
      switch (name) {
        case "added_tokens" -> readAddedTokens();
        case "normalizer" -> normalizer = JsonTree.read(parser);
        case "pre_tokenizer" -> preTokenizer = JsonTree.read(parser);
        case "post_processor" -> postProcessor = JsonTree.read(parser);
        case "model" -> readModel();
        default -> parser.skipChildren();
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
    require(JsonToken.START_ARRAY, "added_tokens");
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      Object token = JsonTree.read(parser);
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
    require(JsonToken.START_OBJECT, "model");
    hasModel = true;
    for (String name = parser.nextName(); name != null; name = parser.nextName()) {
      JsonToken value = parser.nextToken();
      switch (name) {
        case "type" -> modelType = value == JsonToken.VALUE_STRING ? parser.getString() : "";
        case "unk_token" ->
            unknownToken = value == JsonToken.VALUE_STRING ? parser.getString() : "";
        case "byte_fallback" -> byteFallback = value == JsonToken.VALUE_TRUE;
        case "ignore_merges" -> ignoreMerges = value == JsonToken.VALUE_TRUE;
        case "vocab" -> {
          // Unigram models have a list here.
          if (modelType.equals("BPE")) {
            readVocabulary();
          } else {
            parser.skipChildren();
          }
        }
        case "merges" -> readMerges();
        default -> parser.skipChildren();
      }
    }
    if (!modelType.equals("BPE")) {
      throw new CheckpointException(
          "%s: the tokenizer's model type is \"%s\"; only BPE, which every Llama uses, is supported"
              .formatted(source, modelType));
    }
  }

  private void readVocabulary() {
    require(JsonToken.START_OBJECT, "model.vocab");
    hasVocabulary = true;
    for (String token = parser.nextName(); token != null; token = parser.nextName()) {
      if (parser.nextToken() != JsonToken.VALUE_NUMBER_INT) {
        throw new CheckpointException(
            "%s: model.vocab: token \"%s\" has no number for an id".formatted(source, token));
      }
      put(parser.getIntValue(), token);
    }
  }

  private void put(int id, String token) {
    if (id < 0 || id >= Vocabularies.MAX_SIZE) {
      throw new CheckpointException(
          "%s: token \"%s\" has id %d; ids are 0 to %d"
              .formatted(source, token, id, Vocabularies.MAX_SIZE - 1));
    }
    if (id >= tokens.length) {
      tokens = Arrays.copyOf(tokens, Math.max(id + 1, tokens.length * 2));
    }
    if (tokens[id] != null && !tokens[id].equals(token)) {
      throw new CheckpointException(
          "%s: tokens \"%s\" and \"%s\" have the same id %d"
              .formatted(source, tokens[id], token, id));
    }
    tokens[id] = token;
    vocabSize = Math.max(vocabSize, id + 1);
  }

  /// A merge is `"left right"`, or `["left", "right"]` in files written since 2024.
  private void readMerges() {
    require(JsonToken.START_ARRAY, "model.merges");
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      int index = mergePairs.size() / 2;
      if (parser.currentToken() == JsonToken.VALUE_STRING) {
        char[] chars = parser.getStringCharacters();
        int start = parser.getStringOffset();
        int end = start + parser.getStringLength();
        int space = start;
        while (space < end && chars[space] != ' ') {
          space++;
        }
        if (space == start || space >= end - 1) {
          throw badMerge(index);
        }
        mergePairs.add(chars, start, space);
        mergePairs.add(chars, space + 1, end);
      } else {
        if (parser.currentToken() != JsonToken.START_ARRAY) {
          throw badMerge(index);
        }
        for (int side = 0; side < 2; side++) {
          if (parser.nextToken() != JsonToken.VALUE_STRING) {
            throw badMerge(index);
          }
          int start = parser.getStringOffset();
          mergePairs.add(parser.getStringCharacters(), start, start + parser.getStringLength());
        }
        if (parser.nextToken() != JsonToken.END_ARRAY) {
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
      put(added.id(), added.content());
    }
    String[] names = Arrays.copyOf(tokens, vocabSize);
    TokenType[] types = types(names);
    TokenRoles roles = roles(stated);
    if (find(preTokenizer, "pretokenizers", "ByteLevel").isPresent()) {
      requireLlama3Words();
      return ByteBpeTokenizer.ofMerges(
          source, Utf8Strings.of(names), types, mergePairs.build(), ignoreMerges, roles);
    }
    boolean addDummyPrefix = requireMetaspace();
    return SentencePieceTokenizer.ofMerges(
        source, names, types, mergePairs.build(), addDummyPrefix, roles);
  }

  private TokenType[] types(String[] names) {
    TokenType[] types = new TokenType[names.length];
    for (int id = 0; id < names.length; id++) {
      if (names[id] == null) {
        names[id] = "<unused " + id + ">";
        types[id] = TokenType.UNUSED;
      } else if (byteFallback && SentencePieceTokenizer.byteValue(names[id]) >= 0) {
        types[id] = TokenType.BYTE;
      } else {
        types[id] = names[id].equals(unknownToken) ? TokenType.UNKNOWN : TokenType.NORMAL;
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

  private void require(JsonToken expected, String what) {
    if (parser.currentToken() != expected) {
      throw new CheckpointException(
          "%s: not a tokenizer: %s is %s instead of %s"
              .formatted(
                  source,
                  what,
                  parser.currentToken(),
                  expected == JsonToken.START_OBJECT ? "an object" : "a list"));
    }
  }
}
