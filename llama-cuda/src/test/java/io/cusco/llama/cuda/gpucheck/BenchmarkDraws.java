package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.SamplingStep;
import io.cusco.llama.sampling.TokenHistory;
import io.cusco.llama.sampling.TokenLogprobs;
import io.cusco.llama.sampling.Uniforms;

/// One draw from each row of logits, all with the same parameters and no history.
///
/// @param size rows
record BenchmarkDraws(int size, SamplingParams params) implements SamplingStep {
  private static final TokenHistory NONE = new TokenHistory();

  @Override
  public int logitsRow(int index) {
    return index;
  }

  @Override
  public SamplingParams params(int index) {
    return params;
  }

  @Override
  public double uniform(int index) {
    return Uniforms.at(params.seed(), index);
  }

  @Override
  public TokenHistory history(int index) {
    return NONE;
  }

  @Override
  public void acceptLogprobs(int index, TokenLogprobs logprobs) {
    throw new IllegalStateException("none were asked for");
  }
}
