package io.cusco.llama.engine;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.OutputHead;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StepLimits;
import java.util.Map;

/// What one engine refuses: what its model can never compute. Immutable.
final class RequestChecks {
  private final LlamaConfig config;
  private final StepLimits limits;
  private final KvCacheSpec cache;
  private final boolean hasText;
  private final int maxLength;

  /// @param hasText whether there is a tokenizer
  RequestChecks(LlamaModel model, boolean hasText) {
    config = model.config();
    limits = model.limits();
    cache = model.kvCache();
    this.hasText = hasText;
    maxLength = (int) Math.min(limits.maxContextLength(), cache.capacityTokens());
  }

  /// Tokens a sequence may have, prompt included.
  int maxLength() {
    return maxLength;
  }

  /// @throws IllegalArgumentException if `request` can never run
  void check(Request request) {
    if (!config.generates()) {
      throw new IllegalArgumentException(
          "the model cannot generate, it has %s; %s, and generate with a model that has an lm_head"
              .formatted(config.head(), useOf(config.head())));
    }
    int[] promptIds = request.promptIds();
    checkIds(promptIds);
    if (promptIds.length >= maxLength) {
      throw new IllegalArgumentException(
          "prompt of %d tokens leaves no room to generate: %s"
              .formatted(promptIds.length, roomOfOneSequence()));
    }
    for (Map.Entry<Integer, Float> bias : request.sampling().logitBias().entrySet()) {
      checkId(bias.getKey(), "logit_bias");
    }
    for (int id : request.stop().stopTokenIds()) {
      checkId(id, "stop token");
    }
    if (!hasText && !request.stop().stopStrings().isEmpty()) {
      throw new IllegalArgumentException(
          "stop strings %s need a tokenizer, and this checkpoint has none; use stop token ids"
              .formatted(request.stop().stopStrings()));
    }
  }

  private static String useOf(OutputHead head) {
    return switch (head) {
      case OutputHead.Vocabulary _ -> "ask it for text";
      case OutputHead.Scores _ -> "ask it for rewards";
      case OutputHead.None _ -> "ask it for embeddings";
    };
  }

  /// @param what is done with the text, for messages
  /// @throws IllegalArgumentException if the text is empty, too long, or has ids that there are not
  void checkText(int[] ids, String what) {
    checkIds(ids);
    if (ids.length > maxLength) {
      throw new IllegalArgumentException(
          "text of %d tokens is too long to %s: %s"
              .formatted(ids.length, what, roomOfOneSequence()));
    }
  }

  /// @throws IllegalArgumentException if there are no scores
  void requireScores() {
    if (!(config.head() instanceof OutputHead.Scores)) {
      throw new IllegalArgumentException(
          "the model gives no rewards, it has %s; use a LlamaForSequenceClassification checkpoint"
              .formatted(config.head()));
    }
  }

  /// @throws IllegalArgumentException if there are no logits
  void requireLogits() {
    if (!config.generates()) {
      throw new IllegalArgumentException(
          "the model gives no probabilities of tokens, it has %s; %s"
              .formatted(config.head(), useOf(config.head())));
    }
  }

  private void checkIds(int[] ids) {
    if (ids.length == 0) {
      throw new IllegalArgumentException("the prompt is empty; it needs one token or more");
    }
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] >= config.vocabSize()) {
        throw new IllegalArgumentException(
            "prompt token %d has id %d, outside the vocabulary of %d"
                .formatted(i, ids[i], config.vocabSize()));
      }
    }
  }

  private void checkId(int id, String what) {
    if (id < 0 || id >= config.vocabSize()) {
      throw new IllegalArgumentException(
          "%s %d is outside the vocabulary of %d".formatted(what, id, config.vocabSize()));
    }
  }

  private String roomOfOneSequence() {
    return cache.capacityTokens() < limits.maxContextLength()
        ? "the KV cache has %d tokens (%d blocks of %d); load the model with more blocks"
            .formatted(cache.capacityTokens(), cache.numBlocks(), cache.blockSize())
        : "the context has %d tokens; load the model with a longer one"
            .formatted(limits.maxContextLength());
  }
}
