package io.cusco.llama.testkit;

import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepBatch;
import io.cusco.llama.model.StepLimits;

/// Steps that tests put together by hand, larger than the models under test take.
public final class TestSteps {
  private static final int MAX_TOKENS = 4096;
  private static final int MAX_SEQUENCES = 64;

  private TestSteps() {}

  /// An empty step.
  ///
  /// @param stride blocks per sequence in the block tables
  public static StepBatch of(int blockSize, int stride) {
    return new StepBatch(
        new StepLimits(MAX_TOKENS, MAX_SEQUENCES, MAX_TOKENS, blockSize * stride),
        new KvCacheSpec(blockSize, Integer.MAX_VALUE));
  }
}
