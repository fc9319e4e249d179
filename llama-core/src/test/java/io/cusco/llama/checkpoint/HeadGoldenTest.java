package io.cusco.llama.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import io.cusco.llama.config.OutputHead;
import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.ReferenceLlama;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// A reward model saved by transformers gives what transformers computes; see `make-golden.py`
/// beside the model. Backends are compared with `ReferenceLlama`, which is compared here.
final class HeadGoldenTest {
  /// float32 sums there, float64 sums here.
  private static final double TOLERANCE = 2e-5;

  @Test
  void scoresAndHiddenStatesAreThoseOfTransformers() throws URISyntaxException {
    Path folder =
        Path.of(
                Objects.requireNonNull(getClass().getResource("/io/cusco/llama/heads/golden.json"))
                    .toURI())
            .resolveSibling("");
    try (Checkpoint checkpoint = Checkpoint.open(folder.resolve("reward"))) {
      OutputHead head = checkpoint.config().head();
      assertThat(head).hasToString("a score head with 3 labels (helpful, safe, brief)");
      ReferenceLlama network = new ReferenceLlama(checkpoint.config(), checkpoint.weights());
      for (Object each : Json.array(Json.read(folder.resolve("golden.json")))) {
        Map<String, Object> golden = Json.object(each);
        int[] ids = Json.ints(golden.get("ids"));
        double[][] scores = network.forward(ids);
        assertThat(scores[ids.length - 1])
            .containsExactly(Json.doubles(golden.get("scores")), offset(TOLERANCE));
        double[][] states = network.hiddenStates(ids);
        double[] expected = Json.doubles(golden.get("last_hidden_state"));
        int width = checkpoint.config().hiddenSize();
        for (int i = 0; i < expected.length; i++) {
          assertThat(states[i / width][i % width]).isCloseTo(expected[i], offset(TOLERANCE));
        }
      }
    }
  }
}
