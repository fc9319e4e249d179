package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;

/// What a vocabulary entry is for. Numbers are those of sentencepiece's `SentencePiece.Type`, which
/// GGUF's `tokenizer.ggml.token_type` shares.
enum TokenType {
  NORMAL(1),
  /// Stands for text that the vocabulary cannot express.
  UNKNOWN(2),
  /// Structure; never matched in text.
  CONTROL(3),
  /// Text that is always one token.
  USER_DEFINED(4),
  /// An entry without a use: padding of the vocabulary.
  UNUSED(5),
  /// One byte, for characters that are not in the vocabulary.
  BYTE(6);

  private final int number;

  TokenType(int number) {
    this.number = number;
  }

  int number() {
    return number;
  }

  /// Types by their numbers; `source` is named where one is out of range.
  static TokenType[] ofNumbers(String source, int[] numbers) {
    TokenType[] types = new TokenType[numbers.length];
    for (int id = 0; id < numbers.length; id++) {
      types[id] = of(source, id, numbers[id]);
    }
    return types;
  }

  static TokenType of(String source, int id, int number) {
    return switch (number) {
      // 0 is "undefined": written by early GGUF converters for ordinary tokens.
      case 0, 1 -> NORMAL;
      case 2 -> UNKNOWN;
      case 3 -> CONTROL;
      case 4 -> USER_DEFINED;
      case 5 -> UNUSED;
      case 6 -> BYTE;
      default ->
          throw new CheckpointException(
              "%s: token %d has type %d; types are 0 to 6, so the tokenizer is damaged"
                  .formatted(source, id, number));
    };
  }
}
