package io.cusco.llama.cli.openai;

import io.cusco.llama.cli.json.JsonValue;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What becomes of the fields of a body that nothing reads. Those that would change the answer are
/// refused, those that cannot (`user`, `metadata`) are let pass, and others, as newer clients may
/// send, are ignored with one log line each. Safe for use by several threads.
final class KnownFields {
  private static final Logger LOG = LoggerFactory.getLogger(KnownFields.class);

  /// A file with a name of its own in every line must fill neither the log nor the memory.
  private static final int MAX_LOGGED = 50;

  /// Fields that would change the answer, and the value that changes nothing; null always does.
  private static final Map<String, Set<String>> WITHOUT_EFFECT_ONLY_AS =
      Map.ofEntries(
          Map.entry("response_format", Set.of("{\"type\":\"text\"}")),
          Map.entry("continue_final_message", Set.of("false")),
          Map.entry("min_tokens", Set.of("0")),
          Map.entry("prompt_logprobs", Set.of()),
          Map.entry("suffix", Set.of("\"\"")),
          Map.entry("functions", Set.of("[]")),
          Map.entry("function_call", Set.of("\"none\"", "\"auto\"")),
          Map.entry("modalities", Set.of("[\"text\"]")),
          Map.entry("audio", Set.of()),
          Map.entry("web_search_options", Set.of()),
          Map.entry("chat_template", Set.of()),
          Map.entry("chat_template_kwargs", Set.of("{}")),
          Map.entry("guided_json", Set.of()),
          Map.entry("guided_regex", Set.of()),
          Map.entry("guided_choice", Set.of()),
          Map.entry("guided_grammar", Set.of()),
          Map.entry("structured_outputs", Set.of()));

  /// Read by this package, or by whoever sends the answer, or of no consequence for it.
  private static final Set<String> SHARED =
      Set.of(
          "model",
          "n",
          "best_of",
          "seed",
          "stop",
          "stop_token_ids",
          "max_tokens",
          "temperature",
          "top_p",
          "top_k",
          "min_p",
          "repetition_penalty",
          "presence_penalty",
          "frequency_penalty",
          "logit_bias",
          "logprobs",
          "ignore_eos",
          "stream",
          "stream_options",
          "user",
          "metadata",
          "store",
          "service_tier",
          "safety_identifier",
          "prompt_cache_key");

  private static final Set<String> CHAT =
      with(
          "messages",
          "max_completion_tokens",
          "top_logprobs",
          "tools",
          "tool_choice",
          "parallel_tool_calls",
          "add_generation_prompt");

  private static final Set<String> TEXT = with("prompt", "echo");

  private static final Set<String> EMBEDDING =
      Set.of("model", "input", "encoding_format", "dimensions", "pooling", "normalize", "user");

  private final Set<String> logged = ConcurrentHashMap.newKeySet();

  private static Set<String> with(String... more) {
    return Stream.concat(SHARED.stream(), Stream.of(more)).collect(Collectors.toUnmodifiableSet());
  }

  /// @throws ApiException if a field asks for what is not offered
  void check(Endpoint endpoint, JsonValue body) {
    Set<String> known =
        switch (endpoint) {
          case CHAT_COMPLETIONS -> CHAT;
          case COMPLETIONS -> TEXT;
          case EMBEDDINGS -> EMBEDDING;
        };
    for (String name : body.names()) {
      JsonValue value = body.get(name);
      if (known.contains(name) || value.isNull()) {
        continue;
      }
      Set<String> harmless = WITHOUT_EFFECT_ONLY_AS.get(name);
      if (harmless == null) {
        logOnce(endpoint, name);
      } else if (!harmless.contains(value.json())) {
        throw ApiException.badRequest(
            name,
            harmless.isEmpty()
                ? name + " is not offered; leave it out"
                : "%s is not offered; leave it out, or say %s"
                    .formatted(name, String.join(" or ", harmless)));
      }
    }
  }

  private void logOnce(Endpoint endpoint, String name) {
    if (logged.size() < MAX_LOGGED && logged.add(name)) {
      LOG.warn(
          "the field {} of {} requests is not known here and is ignored", name, endpoint.path());
    }
  }
}
