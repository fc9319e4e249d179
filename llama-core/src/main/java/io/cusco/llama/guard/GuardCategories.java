package io.cusco.llama.guard;

import io.cusco.llama.LlamaException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What a guard model looks for: codes with names, and the text that tells the model.
///
/// ```
/// S1: Violent Crimes.
/// What of that is unsafe, in lines of its own, where the model needs to be told.
/// S2: Non-Violent Crimes.
/// ```
///
/// @param names each code's name, in order
/// @param text the list as the model reads it
public record GuardCategories(Map<String, String> names, String text) {
  /// Far more than any policy; a file beyond it is something else.
  private static final int MAX_BYTES = 1 << 20;

  private static final Pattern CATEGORY = Pattern.compile("([A-Z][0-9]{1,3}):\\s*(\\S.*)");

  public GuardCategories {
    names = Collections.unmodifiableMap(new LinkedHashMap<>(names));
  }

  /// Reads a list of one's own.
  ///
  /// @throws LlamaException if the file cannot be read or is no such list
  public static GuardCategories read(Path file) {
    try {
      if (!Files.isRegularFile(file) || Files.size(file) > MAX_BYTES) {
        throw new LlamaException(
            "%s: not a list of categories: it is missing, no file, or larger than %d bytes"
                .formatted(file, MAX_BYTES));
      }
      return parse(file.toString(), Files.readString(file, StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new LlamaException("%s: cannot be read: %s".formatted(file, e), e);
    }
  }

  static GuardCategories parse(String source, String text) {
    Map<String, String> names = new LinkedHashMap<>();
    for (String line : text.lines().map(String::strip).filter(l -> !l.isEmpty()).toList()) {
      Optional<Matcher> category = Optional.of(CATEGORY.matcher(line)).filter(Matcher::matches);
      if (category.isEmpty() && names.isEmpty()) {
        throw new LlamaException(
            "%s: the first line must be a category like \"S1: Violent Crimes.\", it is \"%s\""
                .formatted(source, line));
      }
      if (category.isPresent()
          && names.put(category.get().group(1), withoutStop(category.get().group(2))) != null) {
        throw new LlamaException(
            "%s: the category %s is there twice".formatted(source, category.get().group(1)));
      }
    }
    if (names.isEmpty()) {
      throw new LlamaException(source + ": there are no categories; one is like \"S1: Name.\"");
    }
    return new GuardCategories(names, text.strip());
  }

  private static String withoutStop(String name) {
    return name.endsWith(".") ? name.substring(0, name.length() - 1) : name;
  }
}
