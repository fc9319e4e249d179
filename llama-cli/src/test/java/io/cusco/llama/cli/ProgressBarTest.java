package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ProgressBarTest {
  @Test
  void itShowsWhatIsLeft() {
    assertThat(ProgressBar.render("x", 1, 4, 2_000_000_000L))
        .isEqualTo("x [#######.......................] 1/4, 6 s left");
    assertThat(ProgressBar.render("x", 7, 0, 2_000_000_000L)).isEqualTo("x 7, 2 s");
    assertThat(ProgressBar.render("x", 5, 4, 0)).contains("5/4, 0 s left");
  }

  @Test
  void withoutATerminalItIsSilent() {
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    try (ProgressBar bar = new ProgressBar(new Output(err), false, "x", 3)) {
      bar.advance();
    }
    assertThat(err.size()).isZero();
  }

  @Test
  void onATerminalItRemovesItself() {
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    try (ProgressBar bar = new ProgressBar(new Output(err), true, "x", 3)) {
      bar.advance();
    }
    assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("\r").endsWith("\r\u001b[K");
  }
}
