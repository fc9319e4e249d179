package io.cusco.llama.sampling;

import java.util.Arrays;

/// A drawn token's natural-log probability and the most likely alternatives, of the network's own
/// distribution (before bias, penalties, temperature and truncation), as vLLM and OpenAI report.
///
/// @param tokenId the token drawn
/// @param logprob its log-probability
/// @param topIds the most likely tokens, best first; ties in id order
/// @param topLogprobs their log-probabilities
public record TokenLogprobs(int tokenId, float logprob, int[] topIds, float[] topLogprobs) {
  public TokenLogprobs {
    if (topIds.length != topLogprobs.length) {
      throw new IllegalArgumentException(
          "%d ids, %d logprobs".formatted(topIds.length, topLogprobs.length));
    }
    topIds = topIds.clone();
    topLogprobs = topLogprobs.clone();
  }

  @Override
  public int[] topIds() {
    return topIds.clone();
  }

  @Override
  public float[] topLogprobs() {
    return topLogprobs.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TokenLogprobs that
        && tokenId == that.tokenId
        && Float.compare(logprob, that.logprob) == 0
        && Arrays.equals(topIds, that.topIds)
        && Arrays.equals(topLogprobs, that.topLogprobs);
  }

  @Override
  public int hashCode() {
    return 31 * tokenId + Float.hashCode(logprob);
  }
}
