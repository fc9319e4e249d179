package io.cusco.llama.cli;

import io.cusco.llama.testkit.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// Requests for `llama batch` and their results.
final class BatchFixture {
  private BatchFixture() {}

  static String text(String customId, String prompt, int maxTokens) {
    return """
    {"custom_id":"%s","method":"POST","url":"/v1/completions","body":{"prompt":"%s","max_tokens":%d,"temperature":0}}\
    """
        .formatted(customId, prompt, maxTokens);
  }

  static String chat(String customId, String message, int maxTokens) {
    return """
    {"custom_id":"%s","method":"POST","url":"/v1/chat/completions","body":{"messages":[{"role":"user","content":"%s"}],"max_tokens":%d,"seed":3}}\
    """
        .formatted(customId, message, maxTokens);
  }

  /// Requests of both kinds and all lengths, every tenth line one that is refused.
  static List<String> requests(int count) {
    List<String> names = List.of("Tom", "Lily", "the dog", "a llama", "Mia");
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String name = names.get(i % names.size());
      lines.add(
          switch (i % 10) {
            case 3 -> chat("r" + i, "Tell me about " + name + " and number " + i + ".", 1 + i % 12);
            case 6 -> text("r" + i, "x", 0);
            case 8 ->
                i % 20 == 8 ? text("r" + (i - 1), "again", 4) : "line %d is no JSON".formatted(i);
            default ->
                text("r" + i, "Once there was " + name + " and " + i + " friends", 1 + i % 12);
          });
    }
    return lines;
  }

  /// Everything of the results but what every run names anew, by custom_id or line.
  static Map<String, String> contents(Path output) throws IOException {
    Map<String, String> contents = new TreeMap<>();
    for (String line : Files.readAllLines(output)) {
      String key = key(line);
      if (contents.put(key, withoutNames(line)) != null) {
        throw new AssertionError("answered twice: " + key);
      }
    }
    return contents;
  }

  static String key(String line) {
    Map<String, Object> result = Json.object(Json.parse(line));
    return result.get("error") == null
        ? "id " + result.get("custom_id")
        : "line " + Json.object(result.get("error")).get("line");
  }

  static String withoutNames(String line) {
    return line.replaceAll("\\b(batch_req_|req_|cmpl-|chatcmpl-)[0-9a-f]{32}", "$1")
        .replaceAll("\"created\":\\d+", "\"created\":0")
        .replaceAll("\"cached_tokens\":\\d+", "\"cached_tokens\":0");
  }
}
