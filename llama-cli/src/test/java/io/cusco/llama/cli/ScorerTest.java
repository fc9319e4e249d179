package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.LlamaException;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScorerTest {
  @Test
  void logprobIsTheLogOfTheSoftmax() {
    float[] logits = {1, 2, 3};
    // exp(3) / (exp(1) + exp(2) + exp(3)) = 0.66524096
    assertThat(Math.exp(Scorer.logprob(logits, 2, 0))).isCloseTo(0.66524096, within(1e-8));
  }

  @Test
  void largeLogitsDoNotOverflow() {
    assertThat(Scorer.logprob(new float[] {3e4f, 3e4f, -3e4f}, 1, 0))
        .isCloseTo(-Math.log(2), within(1e-12));
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
  void aLogitThatIsNotFiniteIsAnError(float bad) {
    assertThatThrownBy(() -> Scorer.logprob(new float[] {1, bad, 2}, 0, 7))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("position 7 are not finite");
  }

  @Test
  void perplexityIsTheInverseOfTheMeanProbability() {
    assertThat(
            new Scorer.Score(new double[] {Math.log(0.5), Math.log(0.125)}, Optional.empty())
                .perplexity())
        .isCloseTo(4, within(1e-12));
    assertThat(new Scorer.Score(new double[0], Optional.empty()).perplexity()).isNaN();
  }
}
