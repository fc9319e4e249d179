package io.cusco.llama.engine;

/// How a text becomes one vector; see [Engine#embed]. Start from [#DEFAULT] and change what
/// matters.
///
/// @param pooling which tokens' final hidden states it is made of
/// @param normalize whether it is divided by its length, so that a product of two vectors is their
///   cosine
public record EmbeddingParams(Pooling pooling, boolean normalize) {

  /// Which tokens' final hidden states a vector is made of.
  public enum Pooling {
    /// The last token's: the only one that has seen the whole text.
    LAST,
    /// The mean over all tokens, begin-of-text included.
    MEAN
  }

  /// The last token, normalised: what vLLM does with a Llama unless told otherwise.
  public static final EmbeddingParams DEFAULT = new EmbeddingParams(Pooling.LAST, true);

  public EmbeddingParams withPooling(Pooling other) {
    return new EmbeddingParams(other, normalize);
  }

  public EmbeddingParams withNormalize(boolean enabled) {
    return new EmbeddingParams(pooling, enabled);
  }

  /// The vector as asked for; the same array. A vector of zeros has no direction and stays.
  float[] finish(float[] vector) {
    if (normalize) {
      double sumOfSquares = 0;
      for (float value : vector) {
        sumOfSquares += (double) value * value;
      }
      double length = sumOfSquares == 0 ? 1 : Math.sqrt(sumOfSquares);
      for (int i = 0; i < vector.length; i++) {
        vector[i] = (float) (vector[i] / length);
      }
    }
    return vector;
  }
}
