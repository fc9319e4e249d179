package io.cusco.llama.sampling;

import java.util.Arrays;
import java.util.Map;

/// Draws tokens on the host: what a backend without sampling kernels calls for each row of logits,
/// and what every other one is tested against.
///
/// Steps and their order are those of [SamplingParams], each as the processor of the same name in
/// Hugging Face transformers. Everything after the float32 logits is computed in double, so that
/// which tokens are kept does not depend on the order of summation except where a cut falls within
/// the last bits. Two rules let a device without a sort draw the same token:
///
/// - top-k and top-p keep every token that ties with the last one kept: a cut is a threshold;
/// - the draw walks the kept tokens in ascending id, not in order of probability.
///
/// Nothing sorts the vocabulary. A cut is found in two passes: a histogram of each score's distance
/// from the best one tells the bucket in which the cut falls; only that bucket is sorted.
///
/// ```
/// distance  0      1/64    2/64            32 nats
/// bucket    |  0   |   1   |   2   | ...   | everything beyond
/// top-k     counts: first bucket at which the running count reaches k
/// top-p     masses: first bucket at which the running mass reaches p
/// ```
///
/// Holds scratch of the vocabulary's size and allocates nothing per draw. Owned by one thread.
public final class Sampler {
  private static final int BUCKETS_PER_NAT = 64;

  /// Tokens farther than this below the best one share a bucket: each weighs less than 2e-14.
  private static final int HISTOGRAM_NATS = 32;

  private static final int LAST_BUCKET = BUCKETS_PER_NAT * HISTOGRAM_NATS;

  private final int vocabSize;
  private final double[] vocabScores;

  // The tokens still kept, ascending by id.
  private final int[] ids;
  private final double[] scores;
  private final double[] weights;
  private int numKept;
  private double bestScore;

  private final double[] bucketMass = new double[LAST_BUCKET + 1];
  private final double[] bucketScores;

  public Sampler(int vocabSize) {
    if (vocabSize <= 0) {
      throw new IllegalArgumentException("vocab_size must be positive, got " + vocabSize);
    }
    this.vocabSize = vocabSize;
    this.vocabScores = new double[vocabSize];
    this.ids = new int[vocabSize];
    this.scores = new double[vocabSize];
    this.weights = new double[vocabSize];
    this.bucketScores = new double[vocabSize];
  }

  /// Draws one token.
  ///
  /// @param logits `[vocabSize]` or longer; not changed
  /// @param history the sequence so far; read only if [SamplingParams#usesHistory()]
  /// @param uniform in `[0, 1)`, see [Uniforms]
  /// @return the token's id, or [SamplingStep#NO_TOKEN] if the logits hold NaN or plus infinity or
  ///   if no token is left above minus infinity
  public int sample(float[] logits, SamplingParams params, TokenHistory history, double uniform) {
    if (params.isGreedy()) {
      if (params.logitBias().isEmpty() && !params.usesHistory()) {
        return argmax(logits);
      }
      return score(logits, params, history) ? argmaxOfScores() : SamplingStep.NO_TOKEN;
    }
    return keep(logits, params, history) ? draw(uniform) : SamplingStep.NO_TOKEN;
  }

  /// The log-probability of `tokenId` and of the `count` most likely tokens, of the softmax of the
  /// logits as they are. Tokens of probability zero are left out of the alternatives.
  public TokenLogprobs logprobs(float[] logits, int tokenId, int count) {
    checkLength(logits);
    double best = Double.NEGATIVE_INFINITY;
    for (int id = 0; id < vocabSize; id++) {
      best = Math.max(best, logits[id]);
    }
    double sum = 0;
    for (int id = 0; id < vocabSize; id++) {
      sum += Math.exp(logits[id] - best);
    }
    double logSumExp = best + Math.log(sum);
    int[] topIds = topIds(logits, Math.min(count, vocabSize));
    float[] topLogprobs = new float[topIds.length];
    for (int i = 0; i < topIds.length; i++) {
      topLogprobs[i] = (float) (logits[topIds[i]] - logSumExp);
    }
    return new TokenLogprobs(tokenId, (float) (logits[tokenId] - logSumExp), topIds, topLogprobs);
  }

  /// The tokens that can be drawn and their probabilities, ascending by id.
  ///
  /// @param ids `[n]`
  /// @param probs `[n]`, sums to 1
  record Distribution(int[] ids, double[] probs) {}

  /// What [#sample] draws from at a temperature above 0; for tests.
  Distribution distribution(float[] logits, SamplingParams params, TokenHistory history) {
    if (!keep(logits, params, history)) {
      return new Distribution(new int[0], new double[0]);
    }
    double total = totalWeight();
    return new Distribution(
        Arrays.copyOf(ids, numKept),
        Arrays.stream(weights, 0, numKept).map(weight -> weight / total).toArray());
  }

  private int argmax(float[] logits) {
    checkLength(logits);
    int best = SamplingStep.NO_TOKEN;
    float bestLogit = Float.NEGATIVE_INFINITY;
    for (int id = 0; id < vocabSize; id++) {
      float logit = logits[id];
      if (isBroken(logit)) {
        return SamplingStep.NO_TOKEN;
      }
      if (logit > bestLogit) {
        bestLogit = logit;
        best = id;
      }
    }
    return best;
  }

  private int argmaxOfScores() {
    int best = SamplingStep.NO_TOKEN;
    double score = Double.NEGATIVE_INFINITY;
    for (int id = 0; id < vocabSize; id++) {
      if (vocabScores[id] > score) {
        score = vocabScores[id];
        best = id;
      }
    }
    return best;
  }

  /// NaN or plus infinity: no softmax.
  private static boolean isBroken(float logit) {
    return !(logit <= Float.MAX_VALUE);
  }

  /// Fills [#vocabScores] with the logits after bias and penalties; false if a logit is broken.
  private boolean score(float[] logits, SamplingParams params, TokenHistory history) {
    checkLength(logits);
    double[] scores = vocabScores;
    for (int id = 0; id < vocabSize; id++) {
      if (isBroken(logits[id])) {
        return false;
      }
      scores[id] = logits[id];
    }
    if (!params.logitBias().isEmpty()) {
      for (Map.Entry<Integer, Float> bias : params.logitBias().entrySet()) {
        scores[checkId(bias.getKey(), "logit_bias")] += bias.getValue();
      }
    }
    if (params.usesHistory()) {
      penalise(params, history);
    }
    return true;
  }

  private void penalise(SamplingParams params, TokenHistory history) {
    double repetition = params.repetitionPenalty();
    for (int i = 0; i < history.size(); i++) {
      int id = checkId(history.id(i), "history");
      double score = vocabScores[id];
      score = score < 0 ? score * repetition : score / repetition;
      int count = history.outputCount(i);
      if (count > 0) {
        score -= params.presencePenalty() + params.frequencyPenalty() * count;
      }
      vocabScores[id] = score;
    }
  }

  /// Leaves the tokens that can be drawn in [#ids] and [#weights]; false if there is none.
  private boolean keep(float[] logits, SamplingParams params, TokenHistory history) {
    if (!score(logits, params, history)) {
      return false;
    }
    applyTemperature(params.temperature());
    if (numKept == 0) {
      return false;
    }
    if (params.topK() > 0 && params.topK() < numKept) {
      keepFrom(topKThreshold(params.topK()));
    }
    for (int i = 0; i < numKept; i++) {
      weights[i] = Math.exp(scores[i] - bestScore);
    }
    if (params.topP() < 1) {
      keepFrom(topPThreshold(params.topP()));
    }
    if (params.minP() > 0) {
      keepWeightsFrom(params.minP());
    }
    return true;
  }

  private void applyTemperature(double temperature) {
    int kept = 0;
    double best = Double.NEGATIVE_INFINITY;
    for (int id = 0; id < vocabSize; id++) {
      double score = vocabScores[id] / temperature;
      if (score > Double.NEGATIVE_INFINITY) {
        ids[kept] = id;
        scores[kept++] = score;
        best = Math.max(best, score);
      }
    }
    numKept = kept;
    bestScore = best;
  }

  private int bucketOf(double score) {
    double distance = bestScore - score;
    return distance < HISTOGRAM_NATS ? (int) (distance * BUCKETS_PER_NAT) : LAST_BUCKET;
  }

  /// The `k`-th largest score.
  private double topKThreshold(int k) {
    Arrays.fill(bucketMass, 0);
    for (int i = 0; i < numKept; i++) {
      bucketMass[bucketOf(scores[i])]++;
    }
    int bucket = 0;
    int above = 0;
    while (above + (int) bucketMass[bucket] < k) {
      above += (int) bucketMass[bucket++];
    }
    int size = sortBucket(bucket);
    return bucketScores[size - (k - above)];
  }

  /// The largest score such that the tokens from it upwards hold `p` of the weight.
  private double topPThreshold(double p) {
    Arrays.fill(bucketMass, 0);
    for (int i = 0; i < numKept; i++) {
      bucketMass[bucketOf(scores[i])] += weights[i];
    }
    double total = 0;
    for (double mass : bucketMass) {
      total += mass;
    }
    double wanted = p * total;
    int bucket = 0;
    double above = 0;
    while (bucket < LAST_BUCKET && above + bucketMass[bucket] < wanted) {
      above += bucketMass[bucket++];
    }
    int next = sortBucket(bucket) - 1;
    while (next > 0) {
      above += Math.exp(bucketScores[next] - bestScore);
      if (above >= wanted) {
        break;
      }
      next--;
    }
    return bucketScores[next];
  }

  /// Collects one bucket's scores in [#bucketScores], ascending, and returns how many they are.
  private int sortBucket(int bucket) {
    int size = 0;
    for (int i = 0; i < numKept; i++) {
      if (bucketOf(scores[i]) == bucket) {
        bucketScores[size++] = scores[i];
      }
    }
    Arrays.sort(bucketScores, 0, size);
    return size;
  }

  private void keepFrom(double threshold) {
    int kept = 0;
    for (int i = 0; i < numKept; i++) {
      if (scores[i] >= threshold) {
        ids[kept] = ids[i];
        scores[kept] = scores[i];
        weights[kept++] = weights[i];
      }
    }
    numKept = kept;
  }

  /// The best token's weight is 1, so min-p is a threshold on the weights.
  private void keepWeightsFrom(double threshold) {
    int kept = 0;
    for (int i = 0; i < numKept; i++) {
      if (weights[i] >= threshold) {
        ids[kept] = ids[i];
        weights[kept++] = weights[i];
      }
    }
    numKept = kept;
  }

  private double totalWeight() {
    double total = 0;
    for (int i = 0; i < numKept; i++) {
      total += weights[i];
    }
    return total;
  }

  /// Inverts the cumulative distribution at `uniform`.
  private int draw(double uniform) {
    double target = uniform * totalWeight();
    double cumulative = 0;
    int last = 0;
    for (int i = 0; i < numKept; i++) {
      cumulative += weights[i];
      if (cumulative > target) {
        return ids[i];
      }
      if (weights[i] > 0) {
        last = i;
      }
    }
    return ids[last];
  }

  /// The most likely tokens, best first, ties in id order. An insertion sort of `count` entries:
  /// after the first few hundred logits nearly every one fails the first comparison.
  private int[] topIds(float[] logits, int count) {
    int[] top = new int[count];
    int size = 0;
    for (int id = 0; id < vocabSize && count > 0; id++) {
      float logit = logits[id];
      if (logit == Float.NEGATIVE_INFINITY || (size == count && logit <= logits[top[size - 1]])) {
        continue;
      }
      int at = size < count ? size++ : size - 1;
      while (at > 0 && logits[top[at - 1]] < logit) {
        top[at] = top[at - 1];
        at--;
      }
      top[at] = id;
    }
    return Arrays.copyOf(top, size);
  }

  private int checkId(int id, String what) {
    if (id < 0 || id >= vocabSize) {
      throw new IllegalArgumentException(
          "%s: token id %d is outside the vocabulary of %d".formatted(what, id, vocabSize));
    }
    return id;
  }

  private void checkLength(float[] logits) {
    if (logits.length < vocabSize) {
      throw new IllegalArgumentException(
          "sampler for %d logits got %d".formatted(vocabSize, logits.length));
    }
  }
}
