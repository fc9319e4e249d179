package io.cusco.llama.cli.openai;

import io.cusco.llama.Llama;
import io.cusco.llama.cli.json.JsonValue;
import java.util.List;

/// One prompt of a text completion: a text, or token ids that are taken as they are.
sealed interface Prompt {
  int[] encode(Llama llama);

  /// What `echo` repeats.
  String text(Llama llama);

  record Text(String text) implements Prompt {
    @Override
    public int[] encode(Llama llama) {
      return llama.encodePrompt(text);
    }

    @Override
    public String text(Llama llama) {
      return text;
    }
  }

  record Ids(List<Integer> ids) implements Prompt {
    @Override
    public int[] encode(Llama llama) {
      return ids.stream().mapToInt(Integer::intValue).toArray();
    }

    @Override
    public String text(Llama llama) {
      return llama.tokenizer().decode(encode(llama));
    }
  }

  /// The field `prompt`: a text, a list of texts, token ids, or a list of lists of token ids.
  static List<Prompt> read(JsonValue prompt) {
    if (prompt.isString()) {
      return List.of(new Text(prompt.string()));
    }
    String what = "a string, a list of strings, token ids, or a list of lists of token ids";
    List<JsonValue> elements = prompt.isList() ? prompt.list() : List.of();
    if (elements.isEmpty()) {
      throw prompt.mustBe(what);
    }
    if (elements.getFirst().isNumber()) {
      return List.of(new Ids(SamplingFields.tokenIds(prompt)));
    }
    if (elements.size() > SamplingFields.MAX_CHOICES) {
      throw prompt.mustBe("a list of at most %d prompts".formatted(SamplingFields.MAX_CHOICES));
    }
    return elements.stream()
        .map(element ->
            element.isList()
                ? new Ids(SamplingFields.tokenIds(element))
                : (Prompt) new Text(element.string()))
        .toList();
  }
}
