package io.cusco.llama.cli.openai;

import io.cusco.llama.Llama;
import io.cusco.llama.chat.ChatFormat;
import io.cusco.llama.chat.ChatOptions;
import io.cusco.llama.cli.json.JsonValue;
import io.cusco.llama.cli.json.JsonValueException;
import io.cusco.llama.engine.Request;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// Reads the bodies of API requests for one open model: the door to this package. Bodies are what
/// OpenAI's API reference describes, with vLLM's extensions; `model` may be any name.
///
/// Immutable; safe for use by several threads.
public final class CompletionReader {
  /// OpenAI's default for texts; chats go on to the end of the context.
  private static final int DEFAULT_TEXT_TOKENS = 16;

  private final Llama llama;
  private final String model;
  private final Optional<ChatFormat> chatFormat;
  private final LogprobsJson logprobsJson;
  private final KnownFields knownFields = new KnownFields();

  /// @param llama is used, not owned
  /// @throws io.cusco.llama.LlamaException if the checkpoint has no tokenizer
  public CompletionReader(Llama llama) {
    this.llama = llama;
    model = llama.checkpoint().modelName();
    chatFormat = llama.chatFormat();
    logprobsJson = new LogprobsJson(llama.tokenizer());
  }

  /// Understands a body.
  ///
  /// @param seed decides the draws of a request that states no seed
  /// @throws ApiException if it cannot be served: a wrong field, a prompt that is too long, an
  ///   endpoint that this model does not offer
  public Completion read(Endpoint endpoint, JsonValue body, long seed) {
    try {
      if (!body.isObject()) {
        throw body.mustBe("an object");
      }
      return switch (endpoint) {
        case CHAT_COMPLETIONS -> chat(body, seed);
        case COMPLETIONS -> text(body, seed);
        case EMBEDDINGS ->
            throw new ApiException(
                501,
                "",
                "unsupported_endpoint",
                "embeddings need the network's hidden states, which no backend hands out",
                null);
      };
    } catch (JsonValueException e) {
      throw new ApiException(400, e.path(), "", e.getMessage(), e);
    } catch (IllegalArgumentException e) {
      // From core, whose own rules are stricter in places: an alternation of roles, say.
      throw new ApiException(400, "", "", e.getMessage(), e);
    }
  }

  private Completion chat(JsonValue body, long seed) {
    knownFields.check(Endpoint.CHAT_COMPLETIONS, body);
    ChatFormat format =
        chatFormat.orElseThrow(() ->
            ApiException.badRequest(
                "messages",
                "%s is no chat model, or its chat template is not known here; use %s"
                    .formatted(model, Endpoint.COMPLETIONS.path())));
    List<String> tools = MessageFields.tools(body);
    ChatOptions options =
        ChatOptions.DEFAULT
            .withTools(tools)
            .withGenerationPrompt(body.get("add_generation_prompt").boolOr(true));
    int[] prompt = format.encode(MessageFields.messages(body.get("messages")), options);
    requireRoom("messages", prompt);
    boolean wantsLogprobs = body.get("logprobs").boolOr(false);
    JsonValue topLogprobs = body.get("top_logprobs");
    int top = topLogprobs.intOr(0, 0, SamplingParams.MAX_LOGPROBS);
    if (top > 0 && !wantsLogprobs) {
      throw ApiException.badRequest(
          topLogprobs.path(), "top_logprobs needs \"logprobs\": true, got " + topLogprobs.json());
    }
    JsonValue newName = body.get("max_completion_tokens");
    JsonValue maxTokens = newName.isNull() ? body.get("max_tokens") : newName;
    StopConditions stop =
        new StopConditions(
            maxTokens.intOr(llama.contextLength(), 1, Integer.MAX_VALUE),
            SamplingFields.ignoreEos(body)
                ? SamplingFields.stopTokenIds(body)
                : concat(SamplingFields.stopTokenIds(body), format.stopTokenIds()),
            SamplingFields.stopStrings(body),
            SamplingFields.ignoreEos(body));
    SamplingParams sampling = SamplingFields.params(body, seed, wantsLogprobs ? top : -1);
    return new ChatCompletion(
        model,
        format,
        !tools.isEmpty(),
        wantsLogprobs ? Optional.of(logprobsJson) : Optional.empty(),
        new Request(prompt, sampling, stop).withSamples(SamplingFields.n(body)));
  }

  private Completion text(JsonValue body, long seed) {
    knownFields.check(Endpoint.COMPLETIONS, body);
    List<Prompt> prompts = Prompt.read(body.get("prompt"));
    int n = SamplingFields.n(body);
    if ((long) prompts.size() * n > SamplingFields.MAX_CHOICES) {
      throw ApiException.badRequest(
          "prompt",
          "%d prompts with n = %d make more than %d choices; use several requests"
              .formatted(prompts.size(), n, SamplingFields.MAX_CHOICES));
    }
    List<int[]> ids = prompts.stream().map(prompt -> prompt.encode(llama)).toList();
    ids.forEach(each -> requireRoom("prompt", each));
    JsonValue logprobs = body.get("logprobs");
    int top = logprobs.intOr(-1, 0, SamplingParams.MAX_LOGPROBS);
    boolean echo = body.get("echo").boolOr(false);
    if (echo && top >= 0) {
      throw ApiException.badRequest(
          "echo", "echo with logprobs, log-probabilities of the prompt, is not offered");
    }
    StopConditions stop =
        new StopConditions(
            body.get("max_tokens").intOr(DEFAULT_TEXT_TOKENS, 1, Integer.MAX_VALUE),
            SamplingFields.stopTokenIds(body),
            SamplingFields.stopStrings(body),
            SamplingFields.ignoreEos(body));
    SamplingParams sampling = SamplingFields.params(body, seed, top);
    return new TextCompletion(
        model,
        echo ? prompts.stream().map(prompt -> prompt.text(llama)).toList() : List.of(),
        top >= 0 ? Optional.of(logprobsJson) : Optional.empty(),
        ids.stream().map(each -> new Request(each, sampling, stop).withSamples(n)).toList());
  }

  private void requireRoom(String param, int[] prompt) {
    if (prompt.length >= llama.contextLength()) {
      throw new ApiException(
          400,
          param,
          "context_length_exceeded",
          "%s has %d tokens, which leaves no room in a context of %d; shorten it, or use a longer"
                  .formatted(param, prompt.length, llama.contextLength())
              + " context where the model has one",
          null);
    }
  }

  private static List<Integer> concat(List<Integer> first, List<Integer> second) {
    return Stream.concat(first.stream(), second.stream()).toList();
  }
}
