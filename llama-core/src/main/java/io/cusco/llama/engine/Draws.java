package io.cusco.llama.engine;

import io.cusco.llama.model.StepInput;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.SamplingStep;
import io.cusco.llama.sampling.TokenHistory;
import io.cusco.llama.sampling.TokenLogprobs;
import io.cusco.llama.sampling.Uniforms;
import java.util.Arrays;

/// The draws of one step: one for each row of logits, in the order of the rows, but for sequences
/// that ended meanwhile. Filled anew each step. Owned by the engine thread.
final class Draws implements SamplingStep {
  private final Sequence[] sequences;
  private final int[] rows;
  private final TokenLogprobs[] logprobs;
  private int size;

  Draws(int maxDraws) {
    this.sequences = new Sequence[maxDraws];
    this.rows = new int[maxDraws];
    this.logprobs = new TokenLogprobs[maxDraws];
  }

  void begin() {
    Arrays.fill(sequences, 0, size, null);
    Arrays.fill(logprobs, 0, size, null);
    size = 0;
  }

  void add(Sequence sequence) {
    rows[size] = size;
    sequences[size++] = sequence;
  }

  /// Leaves out the sequences that have ended since the step was planned.
  ///
  /// @return how many
  int dropEnded() {
    int kept = 0;
    for (int i = 0; i < size; i++) {
      if (!sequences[i].hasEnded()) {
        sequences[kept] = sequences[i];
        rows[kept++] = rows[i];
      }
    }
    int dropped = size - kept;
    Arrays.fill(sequences, kept, size, null);
    size = kept;
    return dropped;
  }

  /// Gives every sequence the token that is being drawn for it.
  void appendDrawn() {
    for (int i = 0; i < size; i++) {
      sequences[i].tokens().append(StepInput.drawn(i));
    }
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
    return rows[index];
  }

  @Override
  public SamplingParams params(int index) {
    return sequences[index].sampling();
  }

  @Override
  public double uniform(int index) {
    return Uniforms.at(params(index).seed(), sequences[index].tokens().numKnown());
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
