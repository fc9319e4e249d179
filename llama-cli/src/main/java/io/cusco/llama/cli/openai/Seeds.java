package io.cusco.llama.cli.openai;

import io.cusco.llama.sampling.SamplingParams;

/// Seeds of the choices of one request.
final class Seeds {
  /// The golden ratio in 64 bits, SplitMix64's increment.
  private static final long STRIDE = 0x9E3779B97F4A7C15L;

  private Seeds() {}

  /// The first choice has the request's own seed, so that asking for more does not change it.
  static SamplingParams ofChoice(SamplingParams sampling, int choice) {
    return choice == 0
        ? sampling
        : new SamplingParams(
            sampling.temperature(),
            sampling.topK(),
            sampling.topP(),
            sampling.minP(),
            sampling.repetitionPenalty(),
            sampling.presencePenalty(),
            sampling.frequencyPenalty(),
            sampling.logitBias(),
            sampling.seed() + choice * STRIDE,
            sampling.logprobs());
  }
}
