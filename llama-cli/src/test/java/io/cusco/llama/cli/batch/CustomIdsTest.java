package io.cusco.llama.cli.batch;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cli.batch.CustomIds.Status;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CustomIdsTest {
  @Test
  void itKnowsWhatTwoSetsOfTextsKnow() {
    long seed = System.nanoTime();
    System.out.println("CustomIdsTest seed " + seed);
    Random random = new Random(seed);
    CustomIds ids = new CustomIds();
    Set<String> answered = new HashSet<>();
    Set<String> met = new HashSet<>();
    for (int i = 0; i < 50_000; i++) {
      String id = "request-" + random.nextInt(40_000);
      if (random.nextInt(4) == 0) {
        ids.markAnswered(id);
        answered.add(id);
        continue;
      }
      Status expected =
          !met.add(id) ? Status.REPEATED : answered.contains(id) ? Status.ANSWERED : Status.NEW;
      assertThat(ids.meet(id)).as(id).isEqualTo(expected);
    }
    Set<String> all = new HashSet<>(answered);
    all.addAll(met);
    assertThat(ids.size()).isEqualTo(all.size());
  }

  @Test
  void linesAndIdsAreApart() {
    CustomIds ids = new CustomIds();
    ids.markLineAnswered(7);
    ids.markAnswered("8");
    assertThat(ids.isLineAnswered(7)).isTrue();
    assertThat(ids.isLineAnswered(8)).isFalse();
    assertThat(ids.meet("7")).isEqualTo(Status.NEW);
    assertThat(ids.meet("8")).isEqualTo(Status.ANSWERED);
    assertThat(ids.meet("8")).isEqualTo(Status.REPEATED);
    assertThat(ids.meet("")).isEqualTo(Status.NEW);
  }
}
