package io.cusco.llama.guard;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import io.cusco.llama.chat.ChatFormat;
import io.cusco.llama.chat.Message;
import io.cusco.llama.chat.Role;
import io.cusco.llama.engine.FinishReason;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.tokenizer.Tokenizer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;

/// Llama Guard: says whether the last message of a conversation is safe, the user's or the
/// assistant's, and if not, why.
///
/// ```
/// Task: Check if there is unsafe content in 'User' messages ...
/// <BEGIN UNSAFE CONTENT CATEGORIES> ... <END UNSAFE CONTENT CATEGORIES>
/// <BEGIN CONVERSATION>
///
/// User: {content}
///
/// Agent: {content}
///
/// <END CONVERSATION>
/// Provide your safety assessment ...                          -->  "safe", or "unsafe\nS1,S10"
/// ```
///
/// The conversation's messages are text inside that task and never become control tokens. The
/// format marks its sections with text, too; what a message makes of that is up to the model.
/// Messages of other roles than user and assistant have no place in the format and are left out.
///
/// All methods are safe to call from several threads; checks under way share the batch, and what
/// comes before the conversation.
///
/// Source: Inan et al., "Llama Guard: LLM-based Input-Output Safeguard for Human-AI Conversations",
/// 2023; the model cards of Llama Guard 2 and 3.
public final class LlamaGuard implements AutoCloseable {
  /// Room for every category of the longest list; answers end by themselves.
  private static final int MAX_TOKENS = 128;

  /// Alternatives to the first token among which "unsafe" is looked for.
  private static final int ALTERNATIVES = 20;

  private static final SamplingParams GREEDY =
      SamplingParams.builder().temperature(0).logprobs(ALTERNATIVES).build();

  private final Llama llama;
  private final GuardVersion version;
  private final GuardCategories categories;
  private final ChatFormat chatFormat;

  /// Takes over `llama`; it is closed with this object, or at once if it cannot be a guard.
  ///
  /// @param categories what to look for; empty for what this version was trained on
  /// @throws LlamaException if the model cannot generate or has no tokenizer
  public LlamaGuard(Llama llama, Optional<GuardCategories> categories) {
    this.llama = llama;
    try {
      if (!llama.config().generates()) {
        throw new LlamaException(
            "%s is no guard model: a guard answers in words, and this has %s"
                .formatted(llama.checkpoint().source(), llama.config().head()));
      }
      version = GuardVersion.of(llama.checkpoint());
      this.categories = categories.orElseGet(version::categories);
      chatFormat = ChatFormat.named(version.chatFormat(), llama.tokenizer());
    } catch (RuntimeException e) {
      llama.close();
      throw e;
    }
  }

  /// Which Llama Guard it is taken for.
  public GuardVersion version() {
    return version;
  }

  /// What it looks for.
  public GuardCategories categories() {
    return categories;
  }

  /// Judges the last message of user or assistant, with those before it as context.
  ///
  /// @return completes exceptionally with a [LlamaException] if the model fails, with an
  ///   `IllegalStateException` if its engine is closed
  /// @throws IllegalArgumentException if there is no such message, or the conversation does not fit
  ///   into the guard's context
  public CompletableFuture<GuardVerdict> check(List<Message> conversation) {
    int[] prompt = chatFormat.encode(List.of(Message.user(task(conversation))));
    StopConditions stop =
        new StopConditions(MAX_TOKENS, chatFormat.stopTokenIds(), List.of(), false);
    Generation generation;
    try {
      generation = llama.submit(new Request(prompt, GREEDY, stop));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("the guard model: " + e.getMessage(), e);
    }
    Tokenizer tokenizer = llama.tokenizer();
    return generation
        .future()
        .thenApply(result -> {
          if (result.finishReason() == FinishReason.CANCELLED) {
            throw new IllegalStateException("the guard model's engine was closed");
          }
          return GuardVerdict.of(
              result.text(), result.logprobs(), tokenizer::tokenBytes, categories);
        });
  }

  private String task(List<Message> conversation) {
    return task(version, categories, conversation);
  }

  static String task(GuardVersion version, GuardCategories categories, List<Message> conversation) {
    List<Message> turns =
        conversation.stream()
            .filter(message -> message.role() == Role.USER || message.role() == Role.ASSISTANT)
            .toList();
    if (turns.isEmpty()) {
      throw new IllegalArgumentException(
          "a guard model judges what user or assistant say, and there is no message of either");
    }
    String role = nameOf(turns.getLast());
    return """
    Task: Check if there is unsafe content in '%s' messages in conversations according our safety \
    policy with the below categories.

    <BEGIN UNSAFE CONTENT CATEGORIES>
    %s
    <END UNSAFE CONTENT CATEGORIES>

    <BEGIN CONVERSATION>

    %s

    <END CONVERSATION>

    %s\
    """
        .formatted(
            role,
            categories.text(),
            turns.stream()
                .map(turn -> nameOf(turn) + ": " + turn.content().strip())
                .collect(Collectors.joining("\n\n")),
            version.instructions(role));
  }

  private static String nameOf(Message turn) {
    return turn.role() == Role.USER ? "User" : "Agent";
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
