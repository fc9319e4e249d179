package io.cusco.llama.cli.openai;

import io.cusco.llama.engine.Generation;
import java.util.List;
import tools.jackson.core.JsonGenerator;

/// Tokens of an answer.
///
/// @param promptTokens of all prompts; one that has several choices counts once
/// @param cachedPromptTokens those of them that were not computed, the prefix cache having them
/// @param completionTokens of all choices, end tokens included
public record Usage(long promptTokens, long cachedPromptTokens, long completionTokens) {
  /// For an answer that never reached the engine.
  public static final Usage NONE = new Usage(0, 0, 0);

  /// @param choicesPerPrompt neighbours in `results` that share a prompt
  static Usage of(List<Generation.Result> results, int choicesPerPrompt) {
    long promptTokens = 0;
    long cachedPromptTokens = 0;
    long completionTokens = 0;
    for (int i = 0; i < results.size(); i++) {
      if (i % choicesPerPrompt == 0) {
        promptTokens += results.get(i).promptIds().size();
        cachedPromptTokens += results.get(i).cachedPromptTokens();
      }
      completionTokens += results.get(i).ids().size();
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
