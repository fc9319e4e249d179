package io.cusco.llama.guard;

import io.cusco.llama.LlamaException;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.config.RopeScaling;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/// The generations of Llama Guard: each has a dialogue of its own, a wording of the task, and the
/// categories that it was trained on.
///
/// Sources: the model cards of Llama Guard, Llama Guard 2 and Llama Guard 3.
public enum GuardVersion {
  /// On Llama 2.
  V1(
      "llama-guard-1.txt",
      "llama2",
      "Provide your safety assessment for %s in the above conversation:",
      "- "),
  /// On Llama 3.
  V2(
      "llama-guard-2.txt",
      "llama3-meta",
      "Provide your safety assessment for ONLY THE LAST %s in the above conversation:",
      " - "),
  /// On Llama 3.1 and 3.2.
  V3(
      "llama-guard-3.txt",
      "llama3-meta",
      "Provide your safety assessment for ONLY THE LAST %s in the above conversation:",
      " - ");

  private final String categoriesFile;
  private final String chatFormat;
  private final String question;
  private final String bullet;

  GuardVersion(String categoriesFile, String chatFormat, String question, String bullet) {
    this.categoriesFile = categoriesFile;
    this.chatFormat = chatFormat;
    this.question = question;
    this.bullet = bullet;
  }

  /// The version that a checkpoint is, told by the Llama it was made from: 1 has Llama 2's
  /// vocabulary, 3 the long context of Llama 3.1.
  public static GuardVersion of(Checkpoint checkpoint) {
    boolean llama3 = checkpoint.tokenizer().specialTokens().find("<|start_header_id|>").isPresent();
    if (!llama3) {
      return V1;
    }
    return checkpoint.config().ropeScaling() instanceof RopeScaling.None ? V2 : V3;
  }

  /// The name of the chat format, see [io.cusco.llama.chat.ChatFormat#named].
  String chatFormat() {
    return chatFormat;
  }

  /// What is asked for at the end of the task.
  ///
  /// @param role whose last message is judged
  String instructions(String role) {
    return question.formatted(role)
        + "\n"
        + bullet
        + "First line must read 'safe' or 'unsafe'.\n"
        + bullet
        + "If unsafe, a second line must include a comma-separated list of violated categories.";
  }

  /// The categories it was trained on.
  public GuardCategories categories() {
    try (InputStream resource = GuardVersion.class.getResourceAsStream(categoriesFile)) {
      if (resource == null) {
        throw new LlamaException("this build lacks its resource " + categoriesFile);
      }
      return GuardCategories.parse(
          categoriesFile, new String(resource.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
