package io.cusco.llama.engine;

import io.cusco.llama.tokenizer.TokenDecoder;
import io.cusco.llama.tokenizer.Tokenizer;

/// All that the engine wants of a tokenizer: the text that each token of one sequence completes.
interface PieceDecoder {
  /// The text that may be shown after token `id`.
  String append(int id);

  /// What is left at the end.
  String flush();

  static PieceDecoder of(Tokenizer tokenizer) {
    TokenDecoder decoder = tokenizer.newDecoder();
    return new PieceDecoder() {
      @Override
      public String append(int id) {
        return decoder.append(id);
      }

      @Override
      public String flush() {
        return decoder.flush();
      }
    };
  }

  /// For a model without a tokenizer: tokens have no text.
  static PieceDecoder silent() {
    return new PieceDecoder() {
      @Override
      public String append(int id) {
        return "";
      }

      @Override
      public String flush() {
        return "";
      }
    };
  }
}
