package io.cusco.llama.chat;

import io.cusco.llama.tokenizer.Tokenizer;
import java.util.List;

/// Llama 2's dialogue (`generation.py` of Meta's llama repository, `chat_completion`; the published
/// template gives the same):
///
/// ```
/// <s>[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{user} [/INST] {assistant} </s><s>[INST] {user} [/INST]
/// ```
final class Llama2Chat implements ChatFormat {
  private final Tokenizer tokenizer;
  private final int bos;
  private final int eos;

  Llama2Chat(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
    bos = PromptBuilder.requireBos(tokenizer);
    eos = PromptBuilder.require(tokenizer, "</s>");
  }

  @Override
  public String name() {
    return ChatFormats.LLAMA2;
  }

  @Override
  public int[] encode(List<Message> messages, ChatOptions options) {
    if (!options.tools().isEmpty() || !options.builtinTools().isEmpty()) {
      throw new IllegalArgumentException("Llama 2's chat format has no tools");
    }
    boolean hasSystem = !messages.isEmpty() && messages.getFirst().role() == Role.SYSTEM;
    String system = hasSystem ? "<<SYS>>\n" + messages.getFirst().content() + "\n<</SYS>>\n\n" : "";
    List<Message> turns = hasSystem ? messages.subList(1, messages.size()) : messages;
    requireAlternation(turns, options.addGenerationPrompt());
    PromptBuilder prompt = new PromptBuilder(tokenizer);
    for (int i = 0; i < turns.size(); i += 2) {
      String user = PythonText.strip((i == 0 ? system : "") + turns.get(i).content());
      String instruction = "[INST] " + user + " [/INST]";
      prompt.special(bos);
      if (i + 1 < turns.size()) {
        String answer = PythonText.strip(turns.get(i + 1).content());
        prompt.text(instruction + " " + answer + " ").special(eos);
      } else {
        prompt.text(instruction);
      }
    }
    return prompt.build();
  }

  @Override
  public Message parseReply(int... ids) {
    return Message.assistant(tokenizer.decode(ids));
  }

  @Override
  public List<Integer> stopTokenIds() {
    return List.of(eos);
  }

  private static void requireAlternation(List<Message> turns, boolean addGenerationPrompt) {
    for (int i = 0; i < turns.size(); i++) {
      Role expected = i % 2 == 0 ? Role.USER : Role.ASSISTANT;
      if (turns.get(i).role() != expected || !turns.get(i).toolCalls().isEmpty()) {
        throw new IllegalArgumentException(
            "Llama 2's dialogues alternate user and assistant after an optional system message,"
                + " without tools; turn %d is from %s".formatted(i, turns.get(i).role()));
      }
    }
    if (turns.isEmpty() || (addGenerationPrompt && turns.size() % 2 == 0)) {
      throw new IllegalArgumentException("the last message must be the user's");
    }
  }
}
