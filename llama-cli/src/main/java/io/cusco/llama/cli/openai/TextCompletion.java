package io.cusco.llama.cli.openai;

import io.cusco.llama.cli.json.Json;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;

/// `/v1/completions`. Choices are numbered prompt by prompt: those of the first prompt come first.
///
/// @param model the name of the model that answers
/// @param echoes the text of each prompt where it is to be repeated; otherwise empty
/// @param logprobs writes log-probabilities, where they were asked for
/// @param requests the prompts, each with the same number of samples
record TextCompletion(
    String model, List<String> echoes, Optional<LogprobsJson> logprobs, List<Request> requests)
    implements Completion {

  TextCompletion {
    echoes = List.copyOf(echoes);
    requests = List.copyOf(requests);
  }

  private int choicesPerPrompt() {
    return requests.getFirst().samples();
  }

  @Override
  public Usage usage(List<Generation.Result> results) {
    return Usage.of(results, choicesPerPrompt());
  }

  @Override
  public String body(String id, long createdSeconds, List<Generation.Result> results) {
    return Json.object(json -> {
      json.writeStringProperty("id", "cmpl-" + id);
      json.writeStringProperty("object", "text_completion");
      json.writeNumberProperty("created", createdSeconds);
      json.writeStringProperty("model", model);
      json.writeArrayPropertyStart("choices");
      for (int i = 0; i < results.size(); i++) {
        writeChoice(json, i, results.get(i));
      }
      json.writeEndArray();
      usage(results).write(json);
    });
  }

  private void writeChoice(JsonGenerator json, int index, Generation.Result result) {
    String echo = echoes.isEmpty() ? "" : echoes.get(index / choicesPerPrompt());
    json.writeStartObject();
    json.writeNumberProperty("index", index);
    json.writeStringProperty("text", echo + result.text());
    logprobs.ifPresentOrElse(
        writer -> writer.writeForText(json, result, echo.length()),
        () -> json.writeNullProperty("logprobs"));
    json.writeStringProperty("finish_reason", FinishReasons.name(result));
    json.writeEndObject();
  }
}
