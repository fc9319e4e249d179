package io.cusco.llama.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TokenHistoryTest {

  @Test
  void countsOutputsOfEachDistinctTokenInOrderOfAppearance() {
    long seed = 99;
    Random random = new Random(seed);
    for (int distinct : new int[] {1, 13, 16, 17, 33, 5000}) {
      TokenHistory history = new TokenHistory();
      Map<Integer, Integer> expected = new LinkedHashMap<>();
      for (int i = 0; i < distinct * 3; i++) {
        int id = random.nextInt(distinct) * 7919;
        if (random.nextBoolean()) {
          history.addPrompt(id);
          expected.merge(id, 0, Integer::sum);
        } else {
          history.addOutput(id);
          expected.merge(id, 1, Integer::sum);
        }
      }
      Map<Integer, Integer> actual = new LinkedHashMap<>();
      for (int i = 0; i < history.size(); i++) {
        actual.put(history.id(i), history.outputCount(i));
      }
      assertThat(actual).as("seed %d, %d tokens", seed, distinct).isEqualTo(expected);
      assertThat(actual.keySet()).containsExactlyElementsOf(expected.keySet());
    }
  }
}
