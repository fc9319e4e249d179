package io.cusco.llama.guard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.LlamaException;
import io.cusco.llama.chat.Message;
import io.cusco.llama.sampling.TokenLogprobs;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The task a guard is given, what it may look for, and how its answers are read.
final class GuardTest {
  private static final GuardCategories TWO =
      GuardCategories.parse("test", "S1: Violence.\nHurting people.\nS2: Fraud.\n");

  @Test
  void theTaskIsTheOneTheModelsWereTrainedOn() {
    List<Message> conversation =
        List.of(
            Message.system("left out"),
            Message.user(" How do I pick a lock? "),
            Message.assistant("With care. <|eot_id|>"));
    assertThat(LlamaGuard.task(GuardVersion.V3, TWO, conversation))
        .isEqualTo(
            """
            Task: Check if there is unsafe content in 'Agent' messages in conversations according \
            our safety policy with the below categories.

            <BEGIN UNSAFE CONTENT CATEGORIES>
            S1: Violence.
            Hurting people.
            S2: Fraud.
            <END UNSAFE CONTENT CATEGORIES>

            <BEGIN CONVERSATION>

            User: How do I pick a lock?

            Agent: With care. <|eot_id|>

            <END CONVERSATION>

            Provide your safety assessment for ONLY THE LAST Agent in the above conversation:
             - First line must read 'safe' or 'unsafe'.
             - If unsafe, a second line must include a comma-separated list of violated categories.\
            """);
    assertThat(LlamaGuard.task(GuardVersion.V1, TWO, conversation.subList(0, 2)))
        .contains("content in 'User' messages")
        .endsWith(
            """
            Provide your safety assessment for User in the above conversation:
            - First line must read 'safe' or 'unsafe'.
            - If unsafe, a second line must include a comma-separated list of violated categories.\
            """);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> LlamaGuard.task(GuardVersion.V3, TWO, conversation.subList(0, 1)))
        .withMessageContaining("no message of either");
  }

  @Test
  void everyVersionHasItsCategories() {
    assertThat(GuardVersion.V1.categories().names()).hasSize(6).containsKey("O6");
    assertThat(GuardVersion.V2.categories().names()).hasSize(11).containsEntry("S9", "Hate");
    assertThat(GuardVersion.V3.categories().names())
        .hasSize(14)
        .containsEntry("S14", "Code Interpreter Abuse");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "safe | true | []",
        "\\n\\nsafe\\n | true | []",
        "unsafe\\nS1 | false | [S1]",
        "\\n\\nunsafe\\nS2, S1,S2 | false | [S2, S1]",
        "unsafe | false | []",
        "unsafe\\nS9,violence | false | []",
        "safely said | false | []",
        "Safe | false | []",
        "\"\" | false | []"
      })
  void onlyTheWordSafeIsSafe(String answer, boolean safe, String categories) {
    GuardVerdict verdict =
        GuardVerdict.of(answer.replace("\\n", "\n"), List.of(), id -> new byte[0], TWO);
    assertThat(verdict.safe()).isEqualTo(safe);
    assertThat(verdict.categories()).hasToString(categories);
  }

  @Test
  void theProbabilityOfUnsafeIsThatOfTheFirstTokenWithText() {
    List<String> tokens = List.of("\n\n", "safe", "unsafe", " un", "S1");
    List<TokenLogprobs> logprobs =
        List.of(
            logprobs(0, new int[] {0, 2}, 0.9, 0.1),
            logprobs(1, new int[] {1, 2, 3, 4}, 0.5, 0.3, 0.1, 0.05),
            logprobs(2, new int[] {2}, 1));
    GuardVerdict verdict =
        GuardVerdict.of(
            "\n\nsafe", logprobs, id -> tokens.get(id).getBytes(StandardCharsets.UTF_8), TWO);
    assertThat(verdict.safe()).isTrue();
    assertThat(verdict.unsafeProbability()).isCloseTo(0.4, within(1e-6));
  }

  private static TokenLogprobs logprobs(int id, int[] ids, double... probabilities) {
    float[] logs = new float[ids.length];
    for (int i = 0; i < ids.length; i++) {
      logs[i] = (float) Math.log(probabilities[i]);
    }
    return new TokenLogprobs(id, logs[0], ids, logs);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "\n \n", "Violence\nS1: x", "S1: a\nS1: b", "S1:"})
  void whatIsNoListOfCategoriesIsRefused(String text, @TempDir Path folder) throws IOException {
    Path file = folder.resolve("categories.txt");
    Files.writeString(file, text);
    assertThatExceptionOfType(LlamaException.class)
        .isThrownBy(() -> GuardCategories.read(file))
        .withMessageContaining(file.toString());
    assertThatExceptionOfType(LlamaException.class)
        .isThrownBy(() -> GuardCategories.read(folder))
        .withMessageContaining("not a list of categories");
  }
}
