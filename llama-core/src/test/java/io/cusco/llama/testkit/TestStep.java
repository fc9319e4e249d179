package io.cusco.llama.testkit;

import io.cusco.llama.model.StepInput;
import java.util.ArrayList;
import java.util.List;

/// A step put together by hand, one sequence after another.
public final class TestStep implements StepInput {
  private final int blockSize;
  private final int stride;
  private final List<Integer> tokenIds = new ArrayList<>();
  private final List<Integer> positions = new ArrayList<>();
  private final List<Integer> slots = new ArrayList<>();
  private final List<Integer> queryStarts = new ArrayList<>(List.of(0));
  private final List<Integer> contextLengths = new ArrayList<>();
  private final List<Integer> blockTables = new ArrayList<>();
  private final List<Integer> logitTokens = new ArrayList<>();
  private boolean wantsLogits = true;

  /// @param stride blocks per sequence in the block tables
  public TestStep(int blockSize, int stride) {
    this.blockSize = blockSize;
    this.stride = stride;
  }

  /// Adds `ids` of a sequence that has `start` tokens in the cache and owns `blocks`.
  ///
  /// @param numLogits of how many of its last tokens the logits are wanted
  public TestStep add(int[] ids, int start, int[] blocks, int numLogits) {
    for (int i = 0; i < ids.length; i++) {
      int position = start + i;
      if (i >= ids.length - numLogits) {
        logitTokens.add(tokenIds.size());
      }
      tokenIds.add(ids[i]);
      positions.add(position);
      slots.add(blocks[position / blockSize] * blockSize + position % blockSize);
    }
    queryStarts.add(tokenIds.size());
    contextLengths.add(start + ids.length);
    for (int i = 0; i < stride; i++) {
      blockTables.add(i < blocks.length ? blocks[i] : -1);
    }
    return this;
  }

  /// Leaves the head out.
  public TestStep withoutLogits() {
    wantsLogits = false;
    return this;
  }

  @Override
  public boolean wantsLogits() {
    return wantsLogits;
  }

  private static int[] array(List<Integer> list) {
    return list.stream().mapToInt(Integer::intValue).toArray();
  }

  @Override
  public int numTokens() {
    return tokenIds.size();
  }

  @Override
  public int numSequences() {
    return contextLengths.size();
  }

  @Override
  public int numLogits() {
    return logitTokens.size();
  }

  @Override
  public boolean isDecodeOnly() {
    return numTokens() == numSequences();
  }

  @Override
  public int[] tokenIds() {
    return array(tokenIds);
  }

  @Override
  public int[] positions() {
    return array(positions);
  }

  @Override
  public int[] slotMapping() {
    return array(slots);
  }

  @Override
  public int[] queryStarts() {
    return array(queryStarts);
  }

  @Override
  public int[] contextLengths() {
    return array(contextLengths);
  }

  @Override
  public int[] blockTables() {
    return array(blockTables);
  }

  @Override
  public int blockTableStride() {
    return stride;
  }

  @Override
  public int[] logitTokens() {
    return array(logitTokens);
  }
}
