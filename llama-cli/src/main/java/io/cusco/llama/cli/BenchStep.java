package io.cusco.llama.cli;

import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepBatch;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.SamplingStep;
import io.cusco.llama.sampling.TokenHistory;
import io.cusco.llama.sampling.TokenLogprobs;

/// Steps in which equal sequences advance together, each over blocks of its own: sequence `s` has
/// the blocks from `s * blocksPerSequence` on. Draws are greedy.
final class BenchStep implements SamplingStep {
  private final StepBatch input;
  private final int blocksPerSequence;
  private final int vocabSize;
  private final TokenHistory history = new TokenHistory();

  BenchStep(StepLimits limits, KvCacheSpec cache, int blocksPerSequence, int vocabSize) {
    this.input = new StepBatch(limits, cache);
    this.blocksPerSequence = blocksPerSequence;
    this.vocabSize = vocabSize;
  }

  /// Lays out `count` tokens from `position` on for each of the sequences from `first` on.
  ///
  /// @param wantsLogits whether the last token of each sequence is followed by a draw
  void fill(int first, int sequences, int position, int count, boolean wantsLogits) {
    input.clear();
    for (int s = first; s < first + sequences; s++) {
      input.add(new Walk(s), position, count, wantsLogits ? 1 : 0);
    }
  }

  /// Replaces the one token of each sequence by the one that is being drawn for it.
  void takeDrawn() {
    for (int s = 0; s < input.numSequences(); s++) {
      input.tokenIds()[s] = StepInput.drawn(s);
    }
  }

  StepInput input() {
    return input;
  }

  /// Any token does: an arithmetic walk through the vocabulary that sequences do not share.
  private final class Walk implements StepBatch.Sequence {
    private final int number;

    Walk(int number) {
      this.number = number;
    }

    @Override
    public int tokenId(int position) {
      return (int) ((7919L * (position + 1) + 104729L * number) % vocabSize);
    }

    @Override
    public int block(int index) {
      return number * blocksPerSequence + index;
    }
  }

  @Override
  public int size() {
    return input.numLogits();
  }

  @Override
  public int logitsRow(int index) {
    return index;
  }

  @Override
  public SamplingParams params(int index) {
    return SamplingParams.GREEDY;
  }

  @Override
  public double uniform(int index) {
    return 0;
  }

  @Override
  public TokenHistory history(int index) {
    return history;
  }

  @Override
  public void acceptLogprobs(int index, TokenLogprobs logprobs) {
    throw new IllegalStateException("greedy draws without logprobs were asked for");
  }
}
