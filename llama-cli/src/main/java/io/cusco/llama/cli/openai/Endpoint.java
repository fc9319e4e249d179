package io.cusco.llama.cli.openai;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/// What a request asks for, as its URL says.
public enum Endpoint {
  CHAT_COMPLETIONS("/v1/chat/completions"),
  COMPLETIONS("/v1/completions"),
  EMBEDDINGS("/v1/embeddings");

  private final String path;

  Endpoint(String path) {
    this.path = path;
  }

  public String path() {
    return path;
  }

  public static Optional<Endpoint> of(String path) {
    return Arrays.stream(values()).filter(endpoint -> endpoint.path.equals(path)).findFirst();
  }

  /// All paths, for messages.
  public static String paths() {
    return Arrays.stream(values()).map(Endpoint::path).collect(Collectors.joining(", "));
  }
}
