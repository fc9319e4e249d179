package io.cusco.llama.tokenizer;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/// The tokens of a vocabulary that stand for structure instead of text.
///
/// @param ids every special token's text and id, in id order
/// @param bos the token that begins a text
/// @param addBos whether a prompt is meant to begin with `bos`
/// @param endOfGeneration tokens after which a model has finished speaking (end of text, end of
///   turn, end of message), as the vocabulary declares or names them
public record SpecialTokens(
    Map<String, Integer> ids, OptionalInt bos, boolean addBos, List<Integer> endOfGeneration) {

  public SpecialTokens {
    ids = Collections.unmodifiableMap(new LinkedHashMap<>(ids));
    endOfGeneration = List.copyOf(endOfGeneration);
  }

  /// The id of the special token spelled `text`, if the vocabulary has it.
  public OptionalInt find(String text) {
    Integer id = ids.get(text);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }
}
