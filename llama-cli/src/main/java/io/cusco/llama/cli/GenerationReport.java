package io.cusco.llama.cli;

import io.cusco.llama.Llama;
import io.cusco.llama.cli.json.Json;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Generation.Timings;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.List;
import java.util.Locale;
import tools.jackson.core.JsonGenerator;

/// What there is to say about a finished generation.
///
/// @param loadNanos how long opening the model took
record GenerationReport(Generation.Result result, SamplingParams sampling, long loadNanos) {

  String toJson(Llama llama) {
    return Json.object(json -> {
      json.writeStringProperty("text", result.text());
      Json.ids(json, "ids", result.ids());
      Json.ids(json, "prompt_ids", result.promptIds());
      json.writeStringProperty(
          "finish_reason", result.finishReason().name().toLowerCase(Locale.ROOT));
      if (sampling.wantsLogprobs()) {
        writeLogprobs(json, result.logprobs());
      }
      json.writeObjectPropertyStart("usage");
      json.writeNumberProperty("prompt_tokens", result.promptIds().size());
      json.writeNumberProperty("completion_tokens", result.ids().size());
      json.writeEndObject();
      json.writeObjectPropertyStart("timings");
      Json.rounded(json, "load_ms", loadNanos / 1e6);
      Json.rounded(json, "ttft_ms", result.timings().timeToFirstTokenNanos() / 1e6);
      Json.rounded(json, "prefill_tokens_per_second", prefillRate());
      Json.rounded(json, "decode_tokens_per_second", decodeRate());
      json.writeEndObject();
      if (!sampling.isGreedy()) {
        json.writeNumberProperty("seed", sampling.seed());
      }
      json.writeStringProperty("backend", llama.backend().name());
      json.writeStringProperty("model", llama.checkpoint().modelName());
    });
  }

  /// One line for a person.
  String summary() {
    return String.format(
        Locale.ROOT,
        "%d prompt tokens, %.1f/s; %d generated, %.1f/s; first token after %.0f ms; load %.0f ms%s",
        result.promptIds().size(),
        prefillRate(),
        result.ids().size(),
        decodeRate(),
        result.timings().timeToFirstTokenNanos() / 1e6,
        loadNanos / 1e6,
        sampling.isGreedy() ? "" : "; seed " + sampling.seed());
  }

  private double prefillRate() {
    Timings timings = result.timings();
    return result.promptIds().size()
        / ((timings.timeToFirstTokenNanos() - timings.queuedNanos()) / 1e9);
  }

  /// Tokens after the first; NaN where there are none.
  private double decodeRate() {
    int tokens = result.ids().size() - 1;
    return tokens < 1 ? Double.NaN : tokens / (result.timings().decodeNanos() / 1e9);
  }

  private static void writeLogprobs(JsonGenerator json, List<TokenLogprobs> logprobs) {
    json.writeArrayPropertyStart("logprobs");
    for (TokenLogprobs token : logprobs) {
      json.writeStartObject();
      json.writeNumberProperty("id", token.tokenId());
      Json.number(json, "logprob", token.logprob());
      json.writeArrayPropertyStart("top");
      int[] ids = token.topIds();
      float[] values = token.topLogprobs();
      for (int i = 0; i < ids.length; i++) {
        json.writeStartObject();
        json.writeNumberProperty("id", ids[i]);
        Json.number(json, "logprob", values[i]);
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
  }
}
