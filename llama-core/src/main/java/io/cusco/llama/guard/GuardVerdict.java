package io.cusco.llama.guard;

import io.cusco.llama.sampling.TokenLogprobs;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/// What a guard model thinks of a message.
///
/// @param safe whether it may pass; an answer that is neither "safe" nor "unsafe" lets nothing pass
/// @param categories the codes that are violated, of those that the model was asked for
/// @param unsafeProbability how likely the model was to begin its answer with "unsafe", 0 .. 1
/// @param answer what it said
public record GuardVerdict(
    boolean safe, List<String> categories, double unsafeProbability, String answer) {
  private static final String SAFE = "safe";
  private static final String UNSAFE = "unsafe";

  public GuardVerdict {
    categories = List.copyOf(categories);
  }

  /// @param logprobs of the answer's tokens
  /// @param tokenBytes see [io.cusco.llama.tokenizer.Tokenizer#tokenBytes]
  static GuardVerdict of(
      String answer,
      List<TokenLogprobs> logprobs,
      IntFunction<byte[]> tokenBytes,
      GuardCategories asked) {
    List<String> lines = answer.strip().lines().map(String::strip).toList();
    boolean safe = !lines.isEmpty() && lines.getFirst().equals(SAFE);
    List<String> categories =
        safe || lines.size() < 2
            ? List.of()
            : Arrays.stream(lines.get(1).split(","))
                .map(String::strip)
                .filter(asked.names()::containsKey)
                .distinct()
                .toList();
    return new GuardVerdict(safe, categories, unsafeProbability(logprobs, tokenBytes), answer);
  }

  /// The answer may begin with line breaks, and "unsafe" may be one token or several: what counts
  /// is the first token with a text, and whether that begins the word.
  private static double unsafeProbability(
      List<TokenLogprobs> logprobs, IntFunction<byte[]> tokenBytes) {
    for (TokenLogprobs token : logprobs) {
      if (text(token.tokenId(), tokenBytes).isEmpty()) {
        continue;
      }
      double sum = 0;
      int[] ids = token.topIds();
      for (int i = 0; i < ids.length; i++) {
        String begin = text(ids[i], tokenBytes);
        if (!begin.isEmpty() && UNSAFE.startsWith(begin)) {
          sum += Math.exp(token.topLogprobs()[i]);
        }
      }
      return Math.min(sum, 1);
    }
    return 0;
  }

  private static String text(int id, IntFunction<byte[]> tokenBytes) {
    return new String(tokenBytes.apply(id), StandardCharsets.UTF_8).strip();
  }
}
