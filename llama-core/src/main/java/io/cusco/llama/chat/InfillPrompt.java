package io.cusco.llama.chat;

import io.cusco.llama.tokenizer.SpecialTokens;
import io.cusco.llama.tokenizer.Tokenizer;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// Code Llama's prompt for filling a gap: the code before it and the code after it, then the model
/// writes the middle (`generation.py` of Meta's codellama repository, `infilling_prompt_tokens`).
/// Immutable and safe for use by several threads.
public final class InfillPrompt {
  private final Tokenizer tokenizer;
  private final int bos;
  private final int prefixId;
  private final int suffixId;
  private final int middleId;
  private final int endId;

  /// @param prefixId the token before the code that precedes the gap (`▁<PRE>`)
  /// @param suffixId the token before the code that follows the gap (`▁<SUF>`)
  /// @param middleId the token after which the model writes (`▁<MID>`)
  /// @param endId the token that ends the middle (`▁<EOT>`)
  /// @throws IllegalArgumentException if the tokenizer has no begin-of-text token
  public InfillPrompt(Tokenizer tokenizer, int prefixId, int suffixId, int middleId, int endId) {
    this.tokenizer = tokenizer;
    this.prefixId = prefixId;
    this.suffixId = suffixId;
    this.middleId = middleId;
    this.endId = endId;
    bos = PromptBuilder.requireBos(tokenizer);
  }

  /// The prompt of a vocabulary that has Code Llama's infilling tokens; empty for others.
  public static Optional<InfillPrompt> of(Tokenizer tokenizer) {
    SpecialTokens special = tokenizer.specialTokens();
    OptionalInt prefix = special.find("\u2581<PRE>");
    OptionalInt suffix = special.find("\u2581<SUF>");
    OptionalInt middle = special.find("\u2581<MID>");
    OptionalInt end = special.find("\u2581<EOT>");
    if (prefix.isEmpty() || suffix.isEmpty() || middle.isEmpty() || end.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        new InfillPrompt(
            tokenizer, prefix.getAsInt(), suffix.getAsInt(), middle.getAsInt(), end.getAsInt()));
  }

  /// `<s> <PRE> prefix <SUF> suffix <MID>`: the usual order.
  public int[] prefixSuffixMiddle(String prefix, String suffix) {
    return new PromptBuilder(tokenizer)
        .special(bos)
        .special(prefixId)
        .text(prefix)
        .special(suffixId)
        .ids(tokenizer.encodeContinuation(suffix))
        .special(middleId)
        .build();
  }

  /// `<s> <PRE> <SUF> suffix <MID> prefix`: the middle continues the prefix without a break, which
  /// suits a prefix that ends inside a word.
  public int[] suffixPrefixMiddle(String prefix, String suffix) {
    return new PromptBuilder(tokenizer)
        .special(bos)
        .special(prefixId)
        .special(suffixId)
        .ids(tokenizer.encodeContinuation(suffix))
        .special(middleId)
        .text(prefix)
        .build();
  }

  /// Tokens that end the middle.
  public List<Integer> stopTokenIds() {
    return List.of(endId);
  }
}
