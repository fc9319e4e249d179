package io.cusco.llama.cli.openai;

import io.cusco.llama.Llama;
import io.cusco.llama.chat.ChatFormat;
import io.cusco.llama.chat.ChatOptions;
import io.cusco.llama.chat.Message;
import io.cusco.llama.cli.json.JsonValue;
import io.cusco.llama.cli.json.JsonValueException;
import io.cusco.llama.engine.EmbeddingParams;
import io.cusco.llama.engine.EmbeddingParams.Pooling;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.ArrayList;
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
  private final boolean hasReward;
  private final String model;
  private final Optional<ChatFormat> chatFormat;
  private final LogprobsJson logprobsJson;
  private final KnownFields knownFields = new KnownFields();

  /// @throws io.cusco.llama.LlamaException if the checkpoint has no tokenizer
  public CompletionReader(Engines engines) {
    llama = engines.llama();
    hasReward = engines.reward().isPresent();
    model = llama.checkpoint().modelName();
    chatFormat = llama.chatFormat();
    logprobsJson = new LogprobsJson(llama.tokenizer());
  }

  /// Understands a body.
  ///
  /// @param seed decides the draws of a request that states no seed
  /// @throws ApiException if it cannot be served: a wrong field, a prompt that is too long, an
  ///   endpoint that this model does not offer
  public ApiRequest read(Endpoint endpoint, JsonValue body, long seed) {
    try {
      if (!body.isObject()) {
        throw body.mustBe("an object");
      }
      return switch (endpoint) {
        case CHAT_COMPLETIONS -> chat(body, seed);
        case COMPLETIONS -> text(body, seed);
        case EMBEDDINGS -> embeddings(body);
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
    List<Message> messages = MessageFields.messages(body.get("messages"));
    int[] prompt = format.encode(messages, options);
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
    return new ChatCompletion(
        model,
        format,
        !tools.isEmpty(),
        wantsLogprobs ? Optional.of(logprobsJson) : Optional.empty(),
        new Candidates(body, seed, wantsLogprobs ? top : -1, hasReward)
            .job(prompt, stop, new Transcript.Conversation(messages)));
  }

  private Completion text(JsonValue body, long seed) {
    knownFields.check(Endpoint.COMPLETIONS, body);
    List<Prompt> prompts = Prompt.read(body.get("prompt"));
    JsonValue logprobs = body.get("logprobs");
    int top = logprobs.intOr(-1, 0, SamplingParams.MAX_LOGPROBS);
    Candidates candidates = new Candidates(body, seed, top, hasReward);
    if ((long) prompts.size() * candidates.count() > SamplingFields.MAX_CHOICES) {
      throw ApiException.badRequest(
          "prompt",
          "%d prompts with %s = %d make more than %d choices; use several requests"
              .formatted(
                  prompts.size(),
                  candidates.ranked() ? "best_of" : "n",
                  candidates.count(),
                  SamplingFields.MAX_CHOICES));
    }
    List<int[]> ids = prompts.stream().map(prompt -> prompt.encode(llama)).toList();
    ids.forEach(each -> requireRoom("prompt", each));
    boolean echo = body.get("echo").boolOr(false);
    // Without anything to echo, no token at all is no answer.
    int maxTokens =
        body.get("max_tokens").intOr(DEFAULT_TEXT_TOKENS, echo ? 0 : 1, Integer.MAX_VALUE);
    StopConditions stop =
        new StopConditions(
            Math.max(1, maxTokens),
            SamplingFields.stopTokenIds(body),
            SamplingFields.stopStrings(body),
            SamplingFields.ignoreEos(body));
    List<PromptJob> jobs = new ArrayList<>();
    for (int i = 0; i < prompts.size(); i++) {
      Transcript transcript = new Transcript.Text(prompts.get(i).text(llama));
      PromptJob job = candidates.job(ids.get(i), stop, transcript);
      job = echo && top >= 0 ? job.withEchoLogprobs(top) : job;
      jobs.add(maxTokens == 0 ? job.withoutGeneration() : job);
    }
    return new TextCompletion(
        model,
        echo ? prompts.stream().map(prompt -> prompt.text(llama)).toList() : List.of(),
        top >= 0 ? Optional.of(logprobsJson) : Optional.empty(),
        jobs);
  }

  private ApiRequest embeddings(JsonValue body) {
    knownFields.check(Endpoint.EMBEDDINGS, body);
    List<int[]> texts =
        Prompt.read(body.get("input")).stream().map(input -> input.encode(llama)).toList();
    JsonValue dimensions = body.get("dimensions");
    int hiddenSize = llama.config().hiddenSize();
    if (!dimensions.isNull() && dimensions.integer(1, Integer.MAX_VALUE) != hiddenSize) {
      throw dimensions.mustBe(
          "left out or %d, the size of this model's vectors, which are not made to be cut"
              .formatted(hiddenSize));
    }
    EmbeddingParams params =
        EmbeddingParams.DEFAULT
            .withPooling(
                oneOf(body.get("pooling"), "last", "mean").equals("mean")
                    ? Pooling.MEAN
                    : Pooling.LAST)
            .withNormalize(body.get("normalize").boolOr(true));
    boolean base64 = oneOf(body.get("encoding_format"), "float", "base64").equals("base64");
    return new EmbeddingRequest(model, texts, params, base64);
  }

  /// A field that has one of two values, the first by default.
  private static String oneOf(JsonValue field, String first, String second) {
    if (field.isNull()) {
      return first;
    }
    if (!field.isString() || !List.of(first, second).contains(field.string())) {
      throw field.mustBe("\"%s\" or \"%s\"".formatted(first, second));
    }
    return field.string();
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
