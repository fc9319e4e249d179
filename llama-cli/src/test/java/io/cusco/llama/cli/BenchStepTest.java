package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class BenchStepTest {
  private static BenchStep bench() {
    return new BenchStep(new StepLimits(8, 3, 3, 8), new KvCacheSpec(4, 6), 2, 1000);
  }

  @Test
  void sequencesHaveBlocksOfTheirOwn() {
    BenchStep bench = bench();
    bench.fill(1, 2, 3, 2, true);
    StepInput step = bench.input();
    assertThat(step.numTokens()).isEqualTo(4);
    assertThat(step.numLogits()).isEqualTo(2);
    assertThat(step.isDecodeOnly()).isFalse();
    assertThat(Arrays.copyOf(step.positions(), 4)).containsExactly(3, 4, 3, 4);
    // Sequence 1 has blocks 2 and 3, sequence 2 has 4 and 5; four positions each.
    assertThat(Arrays.copyOf(step.blockTables(), 4)).containsExactly(2, 3, 4, 5);
    assertThat(Arrays.copyOf(step.slotMapping(), 4)).containsExactly(11, 12, 19, 20);
    assertThat(Arrays.copyOf(step.queryStarts(), 3)).containsExactly(0, 2, 4);
    assertThat(Arrays.copyOf(step.contextLengths(), 2)).containsExactly(5, 5);
    assertThat(Arrays.copyOf(step.logitTokens(), 2)).containsExactly(1, 3);
    assertThat(Arrays.stream(step.tokenIds()).boxed()).allMatch(id -> id >= 0 && id < 1000);
  }

  @Test
  void aStepTakesTheTokensThatAreBeingDrawn() {
    BenchStep bench = bench();
    bench.fill(0, 3, 5, 1, true);
    bench.takeDrawn();
    StepInput step = bench.input();
    assertThat(Arrays.copyOf(step.tokenIds(), 3))
        .containsExactly(StepInput.drawn(0), StepInput.drawn(1), StepInput.drawn(2));
  }

  @Test
  void aStepInMidPromptAsksForNoLogits() {
    BenchStep bench = bench();
    bench.fill(0, 1, 0, 8, false);
    assertThat(bench.input().numLogits()).isZero();
    assertThat(bench.size()).isZero();
  }
}
