package io.cusco.llama.cli.openai;

import io.cusco.llama.engine.FinishReason;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.sampling.TokenLogprobs;
import io.cusco.llama.tokenizer.Tokenizer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import tools.jackson.core.JsonGenerator;

/// The two forms in which the API reports log-probabilities: a list of objects for chats, parallel
/// lists for texts. The end token that stopped a generation is not reported.
final class LogprobsJson {
  /// What the API says for a probability of 0, JSON having no infinity.
  private static final double LEAST_LOGPROB = -9999;

  private static final HexFormat BYTES = HexFormat.of().withPrefix("\\x");

  private final Tokenizer tokenizer;

  LogprobsJson(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /// `"logprobs":{"content":[{"token","logprob","bytes","top_logprobs":[...]}]}`
  void writeForChat(JsonGenerator json, Generation.Result result) {
    json.writeObjectPropertyStart("logprobs");
    json.writeArrayPropertyStart("content");
    for (TokenLogprobs token : reported(result)) {
      json.writeStartObject();
      writeToken(json, token.tokenId(), token.logprob());
      json.writeArrayPropertyStart("top_logprobs");
      int[] ids = token.topIds();
      float[] logprobs = token.topLogprobs();
      for (int i = 0; i < ids.length; i++) {
        json.writeStartObject();
        writeToken(json, ids[i], logprobs[i]);
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeNullProperty("refusal");
    json.writeEndObject();
  }

  private void writeToken(JsonGenerator json, int id, float logprob) {
    byte[] bytes = tokenizer.tokenBytes(id);
    String text = new String(bytes, StandardCharsets.UTF_8);
    json.writeStringProperty("token", bytes.length == 0 ? tokenizer.tokenName(id) : text);
    json.writeNumberProperty("logprob", Math.max(logprob, LEAST_LOGPROB));
    json.writeArrayPropertyStart("bytes");
    for (byte value : bytes) {
      json.writeNumber(Byte.toUnsignedInt(value));
    }
    json.writeEndArray();
  }

  /// `"logprobs":{"tokens","token_logprobs","top_logprobs","text_offset"}`; the chosen token is
  /// always among the top ones.
  ///
  /// @param echo what of the choice's text comes before the first drawn token
  /// @param echoed those of the prompt's tokens but the first, where they are repeated: then the
  ///   lists begin with the prompt's tokens, the first one with nulls
  void writeForText(
      JsonGenerator json,
      Generation.Result result,
      String echo,
      Optional<List<TokenLogprobs>> echoed) {
    List<TokenLogprobs> drawn = reported(result);
    List<TokenLogprobs> tokens =
        Stream.concat(echoed.stream().flatMap(List::stream), drawn.stream()).toList();
    Optional<Integer> first = echoed.map(_ -> result.promptIds().getFirst());
    json.writeObjectPropertyStart("logprobs");
    json.writeArrayPropertyStart("tokens");
    first.ifPresent(id -> json.writeString(name(id)));
    tokens.forEach(token -> json.writeString(name(token.tokenId())));
    json.writeEndArray();
    json.writeArrayPropertyStart("token_logprobs");
    first.ifPresent(_ -> json.writeNull());
    tokens.forEach(token -> json.writeNumber(Math.max(token.logprob(), LEAST_LOGPROB)));
    json.writeEndArray();
    json.writeArrayPropertyStart("top_logprobs");
    first.ifPresent(_ -> json.writeNull());
    tokens.forEach(token -> writeTop(json, token));
    json.writeEndArray();
    json.writeArrayPropertyStart("text_offset");
    if (echoed.isPresent()) {
      writeOffsets(json, 0, result.promptIds());
    }
    writeOffsets(json, echo.length(), drawn.stream().map(TokenLogprobs::tokenId).toList());
    json.writeEndArray();
    json.writeEndObject();
  }

  private void writeOffsets(JsonGenerator json, int first, List<Integer> ids) {
    int offset = first;
    for (int id : ids) {
      json.writeNumber(offset);
      offset += new String(tokenizer.tokenBytes(id), StandardCharsets.UTF_8).length();
    }
  }

  private void writeTop(JsonGenerator json, TokenLogprobs token) {
    int[] ids = token.topIds();
    float[] logprobs = token.topLogprobs();
    // Two tokens may have the same text; the likelier one is named.
    Map<String, Float> top = new LinkedHashMap<>();
    for (int i = 0; i < ids.length; i++) {
      top.putIfAbsent(name(ids[i]), logprobs[i]);
    }
    top.putIfAbsent(name(token.tokenId()), token.logprob());
    json.writeStartObject();
    top.forEach(
        (name, logprob) -> json.writeNumberProperty(name, Math.max(logprob, LEAST_LOGPROB)));
    json.writeEndObject();
  }

  /// A token's text, or its bytes where they are no text by themselves: `bytes:\xf0\x9f`.
  private String name(int id) {
    byte[] bytes = tokenizer.tokenBytes(id);
    if (bytes.length == 0) {
      return tokenizer.tokenName(id);
    }
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      return "bytes:" + BYTES.formatHex(bytes);
    }
  }

  private List<TokenLogprobs> reported(Generation.Result result) {
    List<TokenLogprobs> all = result.logprobs();
    boolean endToken =
        !all.isEmpty()
            && result.finishReason() == FinishReason.STOP
            && tokenizer.tokenBytes(all.getLast().tokenId()).length == 0;
    return endToken ? all.subList(0, all.size() - 1) : all;
  }
}
