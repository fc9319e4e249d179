package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.tokenizer.SpecialTokens;
import java.util.Arrays;
import java.util.OptionalInt;

/// Begin-of-text and what follows it.
final class TextInput {
  private TextInput() {}

  static int[] concat(int[] first, int[] second) {
    int[] joined = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, joined, first.length, second.length);
    return joined;
  }

  /// The checkpoint's begin-of-text token, whether prompts are meant to begin with it or not.
  ///
  /// @throws LlamaException if it has none
  static int bos(Checkpoint checkpoint) {
    SpecialTokens special = checkpoint.tokenizer().specialTokens();
    OptionalInt bos = checkpoint.bosTokenId().isPresent() ? checkpoint.bosTokenId() : special.bos();
    return bos.orElseThrow(
        () -> new LlamaException(checkpoint.source() + ": the model has no begin-of-text token"));
  }
}
