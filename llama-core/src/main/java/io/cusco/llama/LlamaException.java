package io.cusco.llama;

/// The root of everything this library throws on purpose. The message names the thing, the values
/// and, where there is one, the remedy.
public class LlamaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public LlamaException(String message) {
    super(message);
  }

  public LlamaException(String message, Throwable cause) {
    super(message, cause);
  }
}
