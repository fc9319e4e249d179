package io.cusco.llama.cli.openai;

import io.cusco.llama.cli.json.Json;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.guard.GuardVerdict;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;

/// One choice of an answer.
///
/// @param result what was generated; empty where the prompt was blocked
/// @param score how good it is, where candidates were ranked
/// @param prompt what the guard thinks of the prompt, where it was asked
/// @param answer what it thinks of the result, where it was asked
record Choice(
    Optional<Generation.Result> result,
    Optional<Score> score,
    Optional<GuardVerdict> prompt,
    Optional<GuardVerdict> answer) {

  /// How good a choice is.
  ///
  /// @param name what the number is: [#REWARD] or [#MEAN_LOGPROB]
  record Score(String name, double value) {
    /// What a reward model says.
    static final String REWARD = "reward";

    /// The mean log-probability of the tokens.
    static final String MEAN_LOGPROB = "mean_logprob";
  }

  /// Neither ranked nor checked.
  static Choice of(Generation.Result result) {
    return new Choice(Optional.of(result), Optional.empty(), Optional.empty(), Optional.empty());
  }

  /// In the place of what an unsafe prompt would have got.
  static Choice blocked(GuardVerdict prompt) {
    return new Choice(Optional.empty(), Optional.empty(), Optional.of(prompt), Optional.empty());
  }

  Choice withScore(Score known) {
    return new Choice(result, Optional.of(known), prompt, answer);
  }

  Choice withPrompt(Optional<GuardVerdict> verdict) {
    return new Choice(result, score, verdict, answer);
  }

  Choice withAnswer(GuardVerdict verdict) {
    return new Choice(result, score, prompt, Optional.of(verdict));
  }

  /// What is given out; empty if the guard found prompt or answer unsafe.
  Optional<Generation.Result> shown() {
    return isSafe(prompt) && isSafe(answer) ? result : Optional.empty();
  }

  private static boolean isSafe(Optional<GuardVerdict> verdict) {
    return verdict.map(GuardVerdict::safe).orElse(true);
  }

  /// The members that the API does not have: the score under its name, and what the guard said.
  void writeExtras(JsonGenerator json) {
    score.ifPresent(known -> Json.number(json, known.name(), known.value()));
    if (prompt.isEmpty() && answer.isEmpty()) {
      return;
    }
    json.writeObjectPropertyStart("moderation");
    json.writeBooleanProperty("flagged", shown().isEmpty());
    prompt.ifPresent(verdict -> write(json, "prompt", verdict));
    answer.ifPresent(verdict -> write(json, "answer", verdict));
    json.writeEndObject();
  }

  private static void write(JsonGenerator json, String name, GuardVerdict verdict) {
    json.writeObjectPropertyStart(name);
    json.writeBooleanProperty("safe", verdict.safe());
    json.writeArrayPropertyStart("categories");
    verdict.categories().forEach(json::writeString);
    json.writeEndArray();
    json.writeNumberProperty("unsafe_probability", verdict.unsafeProbability());
    json.writeEndObject();
  }
}
