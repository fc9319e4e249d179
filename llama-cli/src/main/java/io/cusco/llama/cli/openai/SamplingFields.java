package io.cusco.llama.cli.openai;

import io.cusco.llama.cli.json.JsonValue;
import io.cusco.llama.sampling.SamplingParams;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/// The fields that say how to draw and when to stop, which chat and text completions share. Names,
/// ranges and defaults are OpenAI's; `top_k`, `min_p`, `repetition_penalty`, `stop_token_ids` and
/// `ignore_eos` are vLLM's.
final class SamplingFields {
  /// Choices of one request, its prompts times `n`: more would let one line fill the memory.
  static final int MAX_CHOICES = 2048;

  /// As in the OpenAI API.
  private static final int MAX_N = 128;

  private static final double MAX_PENALTY = 2;
  private static final double MAX_TEMPERATURE = 2;
  private static final double MAX_LOGIT_BIAS = 100;
  private static final double MAX_REPETITION_PENALTY = 100;

  private SamplingFields() {}

  /// @param seed for a request that states none
  /// @param logprobs see [SamplingParams#logprobs()]
  static SamplingParams params(JsonValue body, long seed, int logprobs) {
    JsonValue ownSeed = body.get("seed");
    JsonValue topP = body.get("top_p");
    JsonValue repetitionPenalty = body.get("repetition_penalty");
    return SamplingParams.builder()
        .temperature(body.get("temperature").numberOr(1, 0, MAX_TEMPERATURE))
        .topK(Math.max(body.get("top_k").intOr(0, -1, Integer.MAX_VALUE), 0))
        .topP(positive(topP, topP.numberOr(1, 0, 1)))
        .minP(body.get("min_p").numberOr(0, 0, 1))
        .repetitionPenalty(
            positive(repetitionPenalty, repetitionPenalty.numberOr(1, 0, MAX_REPETITION_PENALTY)))
        .presencePenalty(body.get("presence_penalty").numberOr(0, -MAX_PENALTY, MAX_PENALTY))
        .frequencyPenalty(body.get("frequency_penalty").numberOr(0, -MAX_PENALTY, MAX_PENALTY))
        .logitBias(logitBias(body.get("logit_bias")))
        .seed(ownSeed.isNull() ? seed : ownSeed.integer(Long.MIN_VALUE, Long.MAX_VALUE))
        .logprobs(logprobs)
        .build();
  }

  static int n(JsonValue body) {
    return body.get("n").intOr(1, 1, MAX_N);
  }

  /// How many candidates the choices are the best of; empty if they are not to be ranked.
  ///
  /// @param hasReward whether a reward model ranks them: it scores a single candidate too
  static OptionalInt bestOf(JsonValue body, boolean hasReward) {
    JsonValue field = body.get("best_of");
    if (field.isNull()) {
      return OptionalInt.empty();
    }
    int bestOf = (int) field.integer(1, MAX_N);
    if (bestOf < n(body)) {
      throw field.mustBe("n = %d or more, the choices are the best of them".formatted(n(body)));
    }
    return bestOf == 1 && !hasReward ? OptionalInt.empty() : OptionalInt.of(bestOf);
  }

  static boolean ignoreEos(JsonValue body) {
    return body.get("ignore_eos").boolOr(false);
  }

  static List<String> stopStrings(JsonValue body) {
    JsonValue stop = body.get("stop");
    if (stop.isNull()) {
      return List.of();
    }
    if (!stop.isList() && !stop.isString()) {
      throw stop.mustBe("a string or a list of strings");
    }
    List<String> strings = new ArrayList<>();
    for (JsonValue each : stop.isList() ? stop.list() : List.of(stop)) {
      if (each.string().isEmpty()) {
        throw each.mustBe("a text that is not empty");
      }
      strings.add(each.string());
    }
    return strings;
  }

  static List<Integer> stopTokenIds(JsonValue body) {
    JsonValue ids = body.get("stop_token_ids");
    return ids.isNull() ? List.of() : tokenIds(ids);
  }

  static List<Integer> tokenIds(JsonValue list) {
    return list.list().stream().map(id -> (int) id.integer(0, Integer.MAX_VALUE)).toList();
  }

  private static Map<Integer, Float> logitBias(JsonValue bias) {
    if (bias.isNull()) {
      return Map.of();
    }
    Map<Integer, Float> biases = new LinkedHashMap<>();
    for (String id : bias.names()) {
      int tokenId;
      try {
        tokenId = Integer.parseInt(id);
      } catch (NumberFormatException e) {
        throw new ApiException(
            400, bias.path(), "", "logit_bias must have token ids as names, got \"" + id + "\"", e);
      }
      biases.put(tokenId, (float) bias.get(id).number(-MAX_LOGIT_BIAS, MAX_LOGIT_BIAS));
    }
    return biases;
  }

  private static double positive(JsonValue field, double value) {
    if (value == 0) {
      throw field.mustBe("above 0");
    }
    return value;
  }
}
