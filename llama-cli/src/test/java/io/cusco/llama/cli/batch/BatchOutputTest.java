package io.cusco.llama.cli.batch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BatchOutputTest {
  private static final String A = ResultLine.response("1", "a", 200, "{\"x\":1}");
  private static final String B = ResultLine.response("2", "b", 400, "{}");
  private static final String LINE_7 =
      ResultLine.error("3", Optional.of("a"), "duplicate_custom_id", "é", 7);

  @TempDir Path folder;
  private Path file;

  @BeforeEach
  void nameTheFile() {
    file = folder.resolve("out.jsonl");
  }

  private List<ResultLine.Answered> resumeAndAdd(String line) {
    List<ResultLine.Answered> answered = new ArrayList<>();
    try (BatchOutput output = BatchOutput.resume(file, answered::add)) {
      output.write(line);
    }
    return answered;
  }

  @Test
  void resultsAreWrittenInTheTwoForms() {
    assertThat(A)
        .isEqualTo(
            "{\"id\":\"batch_req_1\",\"custom_id\":\"a\",\"response\":{\"status_code\":200,"
                + "\"request_id\":\"req_1\",\"body\":{\"x\":1}},\"error\":null}");
    assertThat(LINE_7)
        .isEqualTo(
            "{\"id\":\"batch_req_3\",\"custom_id\":\"a\",\"response\":null,\"error\":"
                + "{\"code\":\"duplicate_custom_id\",\"message\":\"line 7: é\",\"line\":7}}");
  }

  @Test
  void everyCutIsResumedWithoutLossOrRepetition() throws IOException {
    byte[] whole = (A + "\n" + B + "\n" + LINE_7 + "\n").getBytes(StandardCharsets.UTF_8);
    for (int cut = 0; cut < whole.length; cut++) {
      Files.write(file, Arrays.copyOf(whole, cut));
      int kept = cut > A.length() ? cut > A.length() + B.length() + 1 ? 2 : 1 : 0;
      List<ResultLine.Answered> answered = resumeAndAdd("{}");
      assertThat(answered).as("cut at %d", cut).hasSize(kept);
      List<String> expected = new ArrayList<>(List.of(A, B).subList(0, kept));
      expected.add("{}");
      assertThat(Files.readAllLines(file)).as("cut at %d", cut).isEqualTo(expected);
    }
  }

  @Test
  void whatWasAnsweredIsTold() throws IOException {
    Files.writeString(file, A + "\n" + B + "\n" + LINE_7 + "\n");
    assertThat(resumeAndAdd("{}"))
        .containsExactly(
            new ResultLine.Answered(Optional.of("a"), OptionalLong.empty(), false),
            new ResultLine.Answered(Optional.of("b"), OptionalLong.empty(), true),
            new ResultLine.Answered(Optional.empty(), OptionalLong.of(7), true));
  }

  @Test
  void aFileThatIsNoOutputIsLeftAlone() throws IOException {
    for (String other : List.of("some notes\n", "{\"custom_id\":\"a\"}\n", A + "\n\n" + B + "\n")) {
      Files.writeString(file, other);
      assertThatThrownBy(() -> resumeAndAdd("{}"))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("is no result of a batch run")
          .hasMessageContaining(file + ": line ");
      assertThat(Files.readString(file)).isEqualTo(other);
    }
  }

  @Test
  void aFileWithContentNeedsResume() throws IOException {
    Files.writeString(file, A + "\n");
    assertThatThrownBy(() -> BatchOutput.create(file))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("--resume");
    assertThat(Files.readString(file)).isEqualTo(A + "\n");
  }

  @Test
  void anEmptyFileAndNoneAreStarted() throws IOException {
    Files.createFile(file);
    BatchOutput.create(file).close();
    Files.delete(file);
    BatchOutput.create(file).close();
    Files.delete(file);
    assertThat(resumeAndAdd("{}")).isEmpty();
    assertThat(Files.readAllLines(file)).containsExactly("{}");
  }

  @Test
  void twoRunsDoNotShareAFile() {
    try (BatchOutput first = BatchOutput.create(file)) {
      first.write("{}");
      assertThatThrownBy(() -> BatchOutput.resume(file, _ -> {}))
          .hasMessageContaining("another run writes to it");
    }
  }

  @Test
  void foldersAreNamed() {
    assertThatThrownBy(() -> BatchOutput.create(folder)).hasMessageContaining("is a folder");
    assertThatThrownBy(() -> BatchOutput.create(folder.resolve("no/out")))
        .hasMessageContaining("there is no folder " + folder.resolve("no"));
  }
}
