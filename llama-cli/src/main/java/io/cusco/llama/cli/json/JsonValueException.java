package io.cusco.llama.cli.json;

import io.cusco.llama.LlamaException;

/// A JSON value is not what it has to be. The message names its path and what was found.
public final class JsonValueException extends LlamaException {
  private static final long serialVersionUID = 1L;

  private final String path;

  JsonValueException(String path, String message) {
    super(message);
    this.path = path;
  }

  JsonValueException(String path, String message, Throwable cause) {
    super(message, cause);
    this.path = path;
  }

  /// Which value: `messages[2].content`; empty for the whole.
  public String path() {
    return path;
  }
}
