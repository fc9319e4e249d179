package io.cusco.llama.engine;

import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.SamplingStep;
import io.cusco.llama.sampling.TokenHistory;
import io.cusco.llama.sampling.TokenLogprobs;
import io.cusco.llama.sampling.Uniforms;
import java.util.Arrays;

/// The draws of one step: one for each row of logits, in the order of the rows. Filled anew each
/// step. Owned by the engine thread.
final class Draws implements SamplingStep {
  private final Sequence[] sequences;
  private final TokenLogprobs[] logprobs;
  private int size;

  Draws(int maxDraws) {
    this.sequences = new Sequence[maxDraws];
    this.logprobs = new TokenLogprobs[maxDraws];
  }

  void begin() {
    Arrays.fill(sequences, 0, size, null);
    Arrays.fill(logprobs, 0, size, null);
    size = 0;
  }

  void add(Sequence sequence) {
    sequences[size++] = sequence;
  }

  Sequence sequence(int index) {
    return sequences[index];
  }

  /// Null unless the sequence asked for log-probabilities and the backend reported them.
  TokenLogprobs logprobs(int index) {
    return logprobs[index];
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public int logitsRow(int index) {
    return index;
  }

  @Override
  public SamplingParams params(int index) {
    return sequences[index].sampling();
  }

  @Override
  public double uniform(int index) {
    return Uniforms.at(params(index).seed(), sequences[index].tokens().size());
  }

  @Override
  public TokenHistory history(int index) {
    return sequences[index].history();
  }

  @Override
  public void acceptLogprobs(int index, TokenLogprobs value) {
    logprobs[index] = value;
  }
}
