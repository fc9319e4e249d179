package io.cusco.llama.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestData;
import io.cusco.llama.tokenizer.TokenizerFiles;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every broken file of the reference data ends in an error that names the file and the fault.
final class MalformedCheckpointTest {

  record Case(Path path, String kind, String expect, String fault, List<String> hintWords) {
    @Override
    public String toString() {
      return path.getFileName() + " (" + expect + "): " + fault;
    }
  }

  @SuppressWarnings("unchecked") // hint_words is a list of strings
  static Stream<Case> cases() {
    Path folder = TestData.require("malformed");
    return Json.lines(folder.resolve("manifest.jsonl")).stream()
        .map(line ->
            new Case(
                folder.resolve((String) line.get("path")),
                (String) line.get("kind"),
                (String) line.get("expect"),
                (String) line.get("fault"),
                (List<String>) line.get("hint_words")));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void endsAsTheManifestSays(Case c) {
    Optional<CheckpointException> error =
        assertTimeoutPreemptively(Duration.ofSeconds(5), () -> open(c));
    if (c.expect.equals("ok")) {
      assertThat(error).isEmpty();
    } else if (c.expect.equals("error")) {
      String message = error.orElseGet(() -> fail("opened")).getMessage();
      assertThat(message).contains(c.path.getFileName().toString());
      assertThat(c.hintWords)
          .as(message)
          .anyMatch(
              word -> message.toLowerCase(Locale.ROOT).contains(word.toLowerCase(Locale.ROOT)));
    }
  }

  private static Optional<CheckpointException> open(Case c) {
    try {
      if (c.kind.equals("tokenizer")) {
        TokenizerFiles.read(c.path);
        return Optional.empty();
      }
      try (Checkpoint checkpoint = Checkpoint.open(c.path)) {
        assertThat(checkpoint.weights().layers()).isNotEmpty();
      }
      return Optional.empty();
    } catch (CheckpointException e) {
      return Optional.of(e);
    }
  }
}
