package io.cusco.llama.cli.openai;

import io.cusco.llama.cli.json.Json;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import tools.jackson.core.JsonGenerator;

/// `/v1/completions`. Choices are numbered prompt by prompt: those of the first prompt come first.
///
/// @param model the name of the model that answers
/// @param echoes the text of each prompt where it is to be repeated; otherwise empty
/// @param logprobs writes log-probabilities, where they were asked for
/// @param jobs the prompts, each with the same number of choices
record TextCompletion(
    String model, List<String> echoes, Optional<LogprobsJson> logprobs, List<PromptJob> jobs)
    implements Completion {

  TextCompletion {
    echoes = List.copyOf(echoes);
    jobs = List.copyOf(jobs);
  }

  @Override
  public List<Request> requests() {
    return jobs.stream().map(PromptJob::request).toList();
  }

  @Override
  public CompletableFuture<ApiAnswer> start(Engines engines) {
    return CompletionAnswer.of(jobs, engines, this::body);
  }

  String body(String id, long createdSeconds, List<PromptAnswer> answers) {
    return Json.object(json -> {
      json.writeStringProperty("id", "cmpl-" + id);
      json.writeStringProperty("object", "text_completion");
      json.writeNumberProperty("created", createdSeconds);
      json.writeStringProperty("model", model);
      json.writeArrayPropertyStart("choices");
      int index = 0;
      for (int prompt = 0; prompt < answers.size(); prompt++) {
        for (Choice choice : answers.get(prompt).choices()) {
          writeChoice(json, index++, prompt, choice, answers.get(prompt).promptLogprobs());
        }
      }
      json.writeEndArray();
      Usage.of(answers).write(json);
    });
  }

  private void writeChoice(
      JsonGenerator json,
      int index,
      int prompt,
      Choice choice,
      List<TokenLogprobs> promptLogprobs) {
    Optional<Generation.Result> shown = choice.shown();
    String echo = echoes.isEmpty() ? "" : echoes.get(prompt);
    json.writeStartObject();
    json.writeNumberProperty("index", index);
    json.writeStringProperty("text", shown.map(result -> echo + result.text()).orElse(""));
    if (logprobs.isPresent() && shown.isPresent()) {
      logprobs
          .get()
          .writeForText(
              json,
              shown.get(),
              echo,
              echoes.isEmpty() ? Optional.empty() : Optional.of(promptLogprobs));
    } else {
      json.writeNullProperty("logprobs");
    }
    json.writeStringProperty("finish_reason", FinishReasons.name(shown));
    choice.writeExtras(json);
    json.writeEndObject();
  }
}
