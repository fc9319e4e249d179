package io.cusco.llama.reward;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import io.cusco.llama.LlamaOptions;
import io.cusco.llama.chat.ChatFormat;
import io.cusco.llama.chat.ChatOptions;
import io.cusco.llama.chat.Message;
import io.cusco.llama.config.OutputHead;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// A reward model: says how good an answer is, in a conversation or behind a prompt. A checkpoint
/// whose score head has one label (`LlamaForSequenceClassification`).
///
/// Texts are encoded with the reward checkpoint's own tokenizer and chat format, which need not be
/// those of the model that wrote the answer. A conversation is scored behind the end token of its
/// last turn, as `apply_chat_template` without a generation prompt ends it.
///
/// All methods are safe to call from several threads; what they ask for shares the batch, and
/// candidates for one prompt the prompt.
///
/// Source: Touvron et al., "Llama 2: Open Foundation and Fine-Tuned Chat Models", 2023, section
/// 3.2.
public final class RewardModel implements AutoCloseable {
  private final Llama llama;
  private final Optional<ChatFormat> chatFormat;

  /// Takes over `llama`; it is closed with this object, or at once if it is no reward model.
  ///
  /// @throws LlamaException if it has another head, more than one label, or no tokenizer
  public RewardModel(Llama llama) {
    this.llama = llama;
    try {
      requireOneLabel(llama);
      chatFormat = llama.chatFormat();
    } catch (RuntimeException e) {
      llama.close();
      throw e;
    }
  }

  /// Opens a Hugging Face folder.
  ///
  /// @throws LlamaException if it cannot be read, no backend can run it, or it is no reward model
  public static RewardModel open(Path path, LlamaOptions options) {
    return new RewardModel(Llama.open(path, options));
  }

  private static void requireOneLabel(Llama llama) {
    OutputHead head = llama.config().head();
    if (!(head instanceof OutputHead.Scores scores)) {
      throw new LlamaException(
          "%s is no reward model: it has %s; name a LlamaForSequenceClassification checkpoint"
              .formatted(llama.checkpoint().source(), head));
    }
    if (scores.labels().size() != 1) {
      throw new LlamaException(
          "%s is a classifier and no reward model: it has %s, a reward model has one"
              .formatted(llama.checkpoint().source(), head));
    }
  }

  /// The reward for a conversation's last turn.
  ///
  /// @return completes exceptionally with a [LlamaException] if the model fails
  /// @throws IllegalArgumentException if the reward model's chat format cannot express the
  ///   conversation, or it does not fit into its context
  /// @throws LlamaException if the reward checkpoint is not a chat model
  public CompletableFuture<Double> score(List<Message> conversation) {
    ChatFormat format =
        chatFormat.orElseThrow(() ->
            new LlamaException(
                "the reward model %s has no chat template that is known here, so it cannot score"
                        .formatted(llama.checkpoint().source())
                    + " conversations; score texts"));
    return reward(
        () -> format.encode(conversation, ChatOptions.DEFAULT.withGenerationPrompt(false)));
  }

  /// The reward for a text as it is, begin-of-text before it where the model wants it.
  ///
  /// @throws IllegalArgumentException if it does not fit into the reward model's context
  public CompletableFuture<Double> score(String text) {
    return reward(() -> llama.encodePrompt(text));
  }

  private interface Encoder {
    int[] encode();
  }

  private CompletableFuture<Double> reward(Encoder encoder) {
    try {
      return llama.engine().reward(encoder.encode()).thenApply(scores -> (double) scores[0]);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("the reward model: " + e.getMessage(), e);
    }
  }

  /// The model itself.
  public Llama llama() {
    return llama;
  }

  /// Idempotent.
  @Override
  public void close() {
    llama.close();
  }
}
