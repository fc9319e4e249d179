package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import java.util.SplittableRandom;

/// A step of equal sequences with random tokens, made once and run again and again. Block `j` of
/// sequence `i` is `j * sequences + i`, so that neighbours in a sequence are far apart in the
/// cache, as after some hours of service.
final class BenchmarkStep implements StepInput {
  private final int numSequences;
  private final int numTokens;
  private final int stride;
  private final int[] tokenIds;
  private final int[] positions;
  private final int[] slotMapping;
  private final int[] queryStarts;
  private final int[] contextLengths;
  private final int[] blockTables;
  private final int[] logitTokens;

  /// @param pooled sequences that the cache is divided among
  /// @param first the first of them that is in the step
  /// @param count how many are
  /// @param start tokens that each has in the cache
  /// @param length tokens that each brings
  BenchmarkStep(
      KvCacheSpec cache, int vocabSize, int pooled, int first, int count, int start, int length) {
    numSequences = count;
    numTokens = Math.multiplyExact(count, length);
    stride = cache.blocksFor(start + length);
    tokenIds = new SplittableRandom(first).ints(numTokens, 0, vocabSize).toArray();
    positions = new int[numTokens];
    slotMapping = new int[numTokens];
    queryStarts = new int[count + 1];
    contextLengths = new int[count];
    blockTables = new int[count * stride];
    logitTokens = new int[count];
    for (int i = 0; i < count; i++) {
      for (int j = 0; j < stride; j++) {
        blockTables[i * stride + j] = j * pooled + first + i;
      }
      for (int j = 0; j < length; j++) {
        int token = i * length + j;
        int position = start + j;
        positions[token] = position;
        int block = blockTables[i * stride + position / cache.blockSize()];
        slotMapping[token] = block * cache.blockSize() + position % cache.blockSize();
      }
      queryStarts[i + 1] = (i + 1) * length;
      contextLengths[i] = start + length;
      logitTokens[i] = (i + 1) * length - 1;
    }
  }

  @Override
  public int numTokens() {
    return numTokens;
  }

  @Override
  public int numSequences() {
    return numSequences;
  }

  @Override
  public int numLogits() {
    return numSequences;
  }

  @Override
  public boolean isDecodeOnly() {
    return numTokens == numSequences;
  }

  @Override
  public int[] tokenIds() {
    return tokenIds;
  }

  @Override
  public int[] positions() {
    return positions;
  }

  @Override
  public int[] slotMapping() {
    return slotMapping;
  }

  @Override
  public int[] queryStarts() {
    return queryStarts;
  }

  @Override
  public int[] contextLengths() {
    return contextLengths;
  }

  @Override
  public int[] blockTables() {
    return blockTables;
  }

  @Override
  public int blockTableStride() {
    return stride;
  }

  @Override
  public int[] logitTokens() {
    return logitTokens;
  }
}
