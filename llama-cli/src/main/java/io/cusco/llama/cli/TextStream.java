package io.cusco.llama.cli;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import io.cusco.llama.engine.Generation;

/// Prints a generation as it comes: its text, or its ids where the checkpoint has no tokenizer.
final class TextStream {
  private final Output out;
  private final boolean hasText;

  TextStream(Output out, Llama llama) {
    this.out = out;
    this.hasText = hasTokenizer(llama);
  }

  void print(Generation generation) {
    String separator = "";
    for (Generation.Piece piece : generation) {
      out.print(hasText ? piece.text() : separator + piece.tokenId());
      out.flush();
      separator = ",";
    }
  }

  private static boolean hasTokenizer(Llama llama) {
    try {
      llama.tokenizer();
      return true;
    } catch (LlamaException e) {
      return false;
    }
  }
}
