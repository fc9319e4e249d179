package io.cusco.llama.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class StepBatchTest {
  private final StepBatch step = new StepBatch(new StepLimits(7, 3, 3, 16), new KvCacheSpec(4, 8));

  /// The drawing in [StepInput], with blocks of four positions.
  @Test
  void aStepIsLaidOutAsStepInputSays() {
    step.add(new int[] {10, 11, 12, 13}, 0, new int[] {5}, 1)
        .add(new int[] {20}, 9, new int[] {1, 0, 7}, 1)
        .add(new int[] {30, 31}, 3, new int[] {2, 6}, 0);
    assertThat(step.numTokens()).isEqualTo(7);
    assertThat(step.numSequences()).isEqualTo(3);
    assertThat(step.tokenIds()).containsExactly(10, 11, 12, 13, 20, 30, 31);
    assertThat(step.positions()).containsExactly(0, 1, 2, 3, 9, 3, 4);
    assertThat(step.slotMapping()).containsExactly(20, 21, 22, 23, 29, 11, 24);
    assertThat(step.queryStarts()).containsExactly(0, 4, 5, 7);
    assertThat(step.contextLengths()).containsExactly(4, 10, 5);
    assertThat(step.blockTableStride()).isEqualTo(4);
    assertThat(step.blockTables()).containsExactly(5, -1, -1, -1, 1, 0, 7, -1, 2, 6, -1, -1);
    assertThat(step.numLogits()).isEqualTo(2);
    assertThat(Arrays.copyOf(step.logitTokens(), 2)).containsExactly(3, 4);
    assertThat(step.isDecodeOnly()).isFalse();
    assertThat(step.tokensLeft()).isZero();
    assertThat(step.numTokens(0)).isEqualTo(4);
    assertThat(step.numTokens(2)).isEqualTo(2);
  }

  @Test
  void aClearedStepIsEmptyAndWantsLogits() {
    step.add(new int[] {1, 2}, 0, new int[] {3}, 2).wantLogits(false);
    step.clear();
    assertThat(step.numTokens()).isZero();
    assertThat(step.numSequences()).isZero();
    assertThat(step.numLogits()).isZero();
    assertThat(step.wantsLogits()).isTrue();
    step.add(new int[] {4}, 1, new int[] {3}, 1);
    assertThat(step.isDecodeOnly()).isTrue();
    assertThat(step.slotMapping()[0]).isEqualTo(13);
    assertThat(Arrays.copyOf(step.blockTables(), 4)).containsExactly(3, -1, -1, -1);
  }

  @Test
  void whatDoesNotFitIsRefusedAndLeavesTheStepAsItWas() {
    step.add(new int[] {1, 2, 3}, 0, new int[] {3}, 1);
    assertThatThrownBy(() -> step.add(new int[5], 0, new int[] {0, 1}, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("5 more tokens do not fit: the step has 3 and takes 7");
    assertThatThrownBy(() -> step.add(new int[2], 15, new int[] {0, 1, 2, 4, 5}, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("positions of one sequence");
    assertThatThrownBy(() -> step.add(new int[2], 3, new int[] {0}, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("5 tokens take 2 blocks of 4, the sequence has 1");
    assertThatThrownBy(() -> step.add(new int[2], 0, new int[] {0}, 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no more rows than tokens");
    step.add(new int[1], 0, new int[] {0}, 1).add(new int[1], 0, new int[] {1}, 1);
    assertThatThrownBy(() -> step.add(new int[1], 0, new int[] {2}, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("1 more sequences do not fit: the step has 3 and takes 3");
    assertThat(step.numTokens()).isEqualTo(5);
    assertThat(step.numSequences()).isEqualTo(3);
  }
}
