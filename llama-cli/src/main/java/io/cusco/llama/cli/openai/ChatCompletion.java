package io.cusco.llama.cli.openai;

import io.cusco.llama.chat.ChatFormat;
import io.cusco.llama.chat.Message;
import io.cusco.llama.chat.ToolCall;
import io.cusco.llama.cli.json.Json;
import io.cusco.llama.engine.FinishReason;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import tools.jackson.core.JsonGenerator;

/// `/v1/chat/completions`.
///
/// @param model the name of the model that answers
/// @param format reads tool calls out of replies
/// @param hasTools whether a reply may be a tool call; without tools it is text, whatever it says
/// @param logprobs writes log-probabilities, where they were asked for
/// @param job the conversation
record ChatCompletion(
    String model,
    ChatFormat format,
    boolean hasTools,
    Optional<LogprobsJson> logprobs,
    PromptJob job)
    implements Completion {

  @Override
  public List<Request> requests() {
    return List.of(job.request());
  }

  @Override
  public CompletableFuture<ApiAnswer> start(Engines engines) {
    return CompletionAnswer.of(List.of(job), engines, this::body);
  }

  String body(String id, long createdSeconds, List<PromptAnswer> answers) {
    List<Choice> choices = answers.getFirst().choices();
    return Json.object(json -> {
      json.writeStringProperty("id", "chatcmpl-" + id);
      json.writeStringProperty("object", "chat.completion");
      json.writeNumberProperty("created", createdSeconds);
      json.writeStringProperty("model", model);
      json.writeArrayPropertyStart("choices");
      for (int i = 0; i < choices.size(); i++) {
        writeChoice(json, id, i, choices.get(i));
      }
      json.writeEndArray();
      Usage.of(answers).write(json);
    });
  }

  private void writeChoice(JsonGenerator json, String id, int index, Choice choice) {
    Optional<Generation.Result> shown = choice.shown();
    List<ToolCall> calls = shown.map(this::toolCalls).orElse(List.of());
    json.writeStartObject();
    json.writeNumberProperty("index", index);
    json.writeObjectPropertyStart("message");
    json.writeStringProperty("role", "assistant");
    if (shown.isPresent() && calls.isEmpty()) {
      json.writeStringProperty("content", shown.get().text());
    } else {
      json.writeNullProperty("content");
    }
    json.writeNullProperty("refusal");
    if (!calls.isEmpty()) {
      writeToolCalls(json, "call_%s-%d".formatted(id, index), calls);
    }
    json.writeEndObject();
    if (logprobs.isPresent() && shown.isPresent()) {
      logprobs.get().writeForChat(json, shown.get());
    } else {
      json.writeNullProperty("logprobs");
    }
    json.writeStringProperty(
        "finish_reason", calls.isEmpty() ? FinishReasons.name(shown) : "tool_calls");
    choice.writeExtras(json);
    json.writeEndObject();
  }

  /// Only a turn that the model ended itself is a call; one that was cut may be half of one.
  private List<ToolCall> toolCalls(Generation.Result result) {
    boolean whole =
        result.finishReason() == FinishReason.STOP
            && format.stopTokenIds().contains(result.ids().getLast());
    if (!hasTools || !whole) {
      return List.of();
    }
    Message reply = format.parseReply(result.ids().stream().mapToInt(Integer::intValue).toArray());
    return reply.toolCalls();
  }

  private static void writeToolCalls(JsonGenerator json, String idPrefix, List<ToolCall> calls) {
    json.writeArrayPropertyStart("tool_calls");
    for (int i = 0; i < calls.size(); i++) {
      json.writeStartObject();
      json.writeStringProperty("id", "%s-%d".formatted(idPrefix, i));
      json.writeStringProperty("type", "function");
      json.writeObjectPropertyStart("function");
      json.writeStringProperty("name", calls.get(i).name());
      json.writeStringProperty("arguments", calls.get(i).arguments());
      json.writeEndObject();
      json.writeEndObject();
    }
    json.writeEndArray();
  }
}
