package io.cusco.llama.tokenizer;

/// Text to token ids and back. Immutable and safe for use by several threads.
///
/// Text is data: [#encode(String)] never yields a control token, whatever the text spells. Only
/// [#encodeWithSpecialTokens(String)] turns the text of a special token into its id.
///
/// Tokens that a vocabulary marks as user-defined are ordinary text that is never split: both
/// methods match them.
public sealed interface Tokenizer permits SentencePieceTokenizer, ByteBpeTokenizer {

  /// Number of ids; valid ids are `0 .. vocabSize - 1`.
  int vocabSize();

  /// The tokens with a meaning of their own: begin and end of text, chat headers.
  SpecialTokens specialTokens();

  /// Encodes `text`; nothing is added before or after it. Unpaired surrogates are read as U+FFFD.
  int[] encode(String text);

  /// Encodes `text`, turning every occurrence of a special token's text into that token: the
  /// leftmost first, the longest of those that start at the same place.
  int[] encodeWithSpecialTokens(String text);

  /// The bytes that token `id` adds to a text; empty for control tokens.
  ///
  /// @throws IllegalArgumentException if `id` is not in the vocabulary
  byte[] tokenBytes(int id);

  /// The token as a person would name it: its text, or the name of a special token.
  ///
  /// @throws IllegalArgumentException if `id` is not in the vocabulary
  String tokenName(int id);

  /// The text of `ids`: control tokens add nothing, malformed UTF-8 becomes U+FFFD. A SentencePiece
  /// tokenizer drops the one space that its encoder put before the text.
  ///
  /// @throws IllegalArgumentException if an id is not in the vocabulary
  String decode(int... ids);

  /// A streaming decoder that never shows half a character.
  default TokenDecoder newDecoder() {
    return new TokenDecoder(this);
  }
}
