package io.cusco.llama.tokenizer;

/// Turns a stream of token ids into a stream of text, holding back bytes until they form whole
/// characters. Malformed UTF-8 becomes U+FFFD, one for each maximal malformed part. Owned by one
/// thread.
public final class TokenDecoder {
  private final Tokenizer tokenizer;
  private final Utf8Stream stream = new Utf8Stream();
  private final StringBuilder text = new StringBuilder();

  TokenDecoder(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /// The text that may be shown after token `id`; often one piece, empty while a character is
  /// incomplete. Every byte of the token counts, a leading space too: this continues a text.
  ///
  /// @throws IllegalArgumentException if `id` is not in the vocabulary
  public String append(int id) {
    stream.append(tokenizer.tokenBytes(id), text);
    return take();
  }

  /// What is left at the end: U+FFFD for a character that was never completed, otherwise empty. The
  /// decoder can be used again afterwards.
  public String flush() {
    stream.finish(text);
    return take();
  }

  private String take() {
    String shown = text.toString();
    text.setLength(0);
    return shown;
  }
}
