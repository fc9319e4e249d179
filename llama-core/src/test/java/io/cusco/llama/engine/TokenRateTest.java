package io.cusco.llama.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class TokenRateTest {
  /// Not 0: the clock's origin is arbitrary, and it may be about to wrap.
  private static final long START = Long.MAX_VALUE - 5_000_000_000L;

  private final TokenRate rate = new TokenRate(START);

  @Test
  void anEngineThatHasDoneNothingHasNoRate() {
    assertThat(rate.at(START, 0)).isZero();
    assertThat(rate.at(after(1), 0)).isZero();
    assertThat(rate.at(after(100), 0)).isZero();
  }

  @Test
  void atFirstTheRateIsThatSinceTheStart() {
    assertThat(rate.at(after(0.5), 50)).isEqualTo(100);
  }

  @Test
  void aSteadyRateStaysWhatItIs() {
    for (int step = 1; step <= 300; step++) {
      long now = after(step / 8.0);
      rate.markNowAndThen(now, step * 20L);
      assertThat(rate.at(now, step * 20L)).isCloseTo(160, within(1e-6));
    }
  }

  @Test
  void whatWasBeforeTheWindowIsForgottenAlsoInAPause() {
    rate.markNowAndThen(after(1), 1000);
    rate.mark(after(1.5), 1500);
    assertThat(rate.at(after(1.5), 1500)).isEqualTo(1000);
    // Half of the ten seconds were busy, at 1000 / s.
    assertThat(rate.at(after(10.5), 1500)).isCloseTo(100, within(1e-6));
    assertThat(rate.at(after(60), 1500)).isZero();
    // Ten tokens in a second after the pause: ten in ten seconds.
    rate.mark(after(60), 1500);
    rate.mark(after(61), 1510);
    assertThat(rate.at(after(61), 1510)).isCloseTo(1, within(1e-6));
  }

  @Test
  void manyShortPausesDoNotShortenTheWindow() {
    for (int i = 1; i <= 3000; i++) {
      rate.mark(after(i / 100.0), i);
    }
    assertThat(rate.at(after(30), 3000)).isCloseTo(100, within(1e-6));
    assertThat(rate.at(after(35), 3000)).isCloseTo(50, within(1.0));
  }

  private static long after(double seconds) {
    return START + Math.round(seconds * 1e9);
  }
}
