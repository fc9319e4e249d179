package io.cusco.llama.cli.openai;

import io.cusco.llama.engine.Generation;
import java.util.List;
import tools.jackson.core.JsonGenerator;

/// Tokens of an answer.
///
/// @param promptTokens of all prompts; one that has several choices counts once
/// @param cachedPromptTokens those of them that were not computed, the prefix cache having them
/// @param completionTokens of all candidates, those not chosen and end tokens included
public record Usage(long promptTokens, long cachedPromptTokens, long completionTokens) {
  /// For an answer that never reached the engine.
  public static final Usage NONE = new Usage(0, 0, 0);

  static Usage of(List<PromptAnswer> prompts) {
    long promptTokens = 0;
    long cachedPromptTokens = 0;
    long completionTokens = 0;
    for (PromptAnswer prompt : prompts) {
      for (Generation.Result result : prompt.candidates()) {
        completionTokens += result.ids().size();
      }
      if (!prompt.candidates().isEmpty()) {
        Generation.Result first = prompt.candidates().getFirst();
        promptTokens += first.promptIds().size();
        cachedPromptTokens += first.cachedPromptTokens();
      }
    }
    return new Usage(promptTokens, cachedPromptTokens, completionTokens);
  }

  void write(JsonGenerator json) {
    json.writeObjectPropertyStart("usage");
    json.writeNumberProperty("prompt_tokens", promptTokens);
    json.writeNumberProperty("completion_tokens", completionTokens);
    json.writeNumberProperty("total_tokens", promptTokens + completionTokens);
    json.writeObjectPropertyStart("prompt_tokens_details");
    json.writeNumberProperty("cached_tokens", cachedPromptTokens);
    json.writeEndObject();
    json.writeEndObject();
  }
}
