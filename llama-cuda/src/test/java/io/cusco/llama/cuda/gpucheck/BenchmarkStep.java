package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepBatch;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import java.util.SplittableRandom;

/// A step of equal sequences with random tokens, made once and run again and again. Block `j` of
/// sequence `i` is `j * sequences + i`, so that neighbours in a sequence are far apart in the
/// cache, as after some hours of service.
final class BenchmarkStep {
  private BenchmarkStep() {}

  /// @param pooled sequences that the cache is divided among
  /// @param first the first of them that is in the step
  /// @param count how many are
  /// @param start tokens that each has in the cache
  /// @param length tokens that each brings
  static StepInput of(
      KvCacheSpec cache, int vocabSize, int pooled, int first, int count, int start, int length) {
    int tokens = Math.multiplyExact(count, length);
    int[] ids = new SplittableRandom(first).ints(tokens, 0, vocabSize).toArray();
    StepBatch step = new StepBatch(new StepLimits(tokens, count, count, start + length), cache);
    for (int i = 0; i < count; i++) {
      int sequence = i;
      step.add(
          new StepBatch.Sequence() {
            @Override
            public int tokenId(int position) {
              return ids[sequence * length + position - start];
            }

            @Override
            public int block(int index) {
              return index * pooled + first + sequence;
            }
          },
          start,
          length,
          1);
    }
    return step;
  }
}
