package io.cusco.llama.tokenizer;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// What a checkpoint states about the use of its tokens beside the vocabulary itself (GGUF's
/// `bos_token_id`, `add_bos_token`, `eos_token_id`, `eot_token_id`, ...). What is stated wins over
/// what the vocabulary's names suggest.
///
/// @param bos the token that begins a text; empty: found by its name
/// @param addBos whether a prompt begins with it; empty: as is usual for the vocabulary
/// @param endOfGeneration further tokens that end a generation
public record TokenRoles(OptionalInt bos, Optional<Boolean> addBos, List<Integer> endOfGeneration) {

  /// Nothing is stated.
  public static final TokenRoles UNSTATED =
      new TokenRoles(OptionalInt.empty(), Optional.empty(), List.of());

  public TokenRoles {
    endOfGeneration = List.copyOf(endOfGeneration);
  }
}
