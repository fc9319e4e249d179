package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.AttentionKernels.Step;
import io.cusco.llama.model.StepBatch;
import io.cusco.llama.testkit.TestSteps;
import org.junit.jupiter.api.Test;

/// A step's shape says which kernels are needed, and how far their grids reach.
class AttentionStepTest {
  private static final int BLOCK_SIZE = 16;

  private static StepBatch add(StepBatch step, int numTokens, int contextLength) {
    int[] blocks = new int[Math.ceilDiv(contextLength, BLOCK_SIZE)];
    return step.add(new int[numTokens], contextLength - numTokens, blocks, 1);
  }

  private static StepBatch step() {
    return TestSteps.of(BLOCK_SIZE, 64);
  }

  @Test
  void stepsOfSingleTokensNeedNoPrefill() {
    StepBatch step = add(add(step(), 1, 700), 1, 20);
    assertThat(Step.NONE.next(step, 2, false, false)).isEqualTo(new Step(2, 2, false, 700));
  }

  @Test
  void contextsOfPromptsDoNotStretchTheGridOfSingleTokens() {
    StepBatch step = add(add(step(), 5, 900), 1, 20);
    assertThat(Step.NONE.next(step, 2, false, false)).isEqualTo(new Step(6, 2, true, 20));
  }

  @Test
  void promptsAloneNeedNoDecode() {
    assertThat(Step.NONE.next(add(step(), 5, 5), 1, false, false))
        .isEqualTo(new Step(5, 1, true, 0));
  }

  @Test
  void recordedGridsReachTheNextPowerOfTwo() {
    assertThat(Step.NONE.next(add(step(), 1, 513), 1, false, true).maxContext()).isEqualTo(1024);
    assertThat(Step.NONE.next(add(step(), 1, 512), 1, false, true).maxContext()).isEqualTo(512);
    assertThat(Step.NONE.next(add(step(), 1, 1), 1, false, true).maxContext()).isEqualTo(1);
  }

  @Test
  void paddingCountsAsSingleTokens() {
    assertThat(Step.NONE.next(add(step(), 1, 20), 4, false, true))
        .isEqualTo(new Step(4, 4, false, 32));
  }
}
