package io.cusco.llama.checkpoint;

import io.cusco.llama.LlamaException;

/// A checkpoint or tokenizer file is missing, cut, inconsistent, hostile, or of a kind that is not
/// supported. The message names the file, the thing in it, the values and the remedy.
public class CheckpointException extends LlamaException {
  private static final long serialVersionUID = 1L;

  public CheckpointException(String message) {
    super(message);
  }

  public CheckpointException(String message, Throwable cause) {
    super(message, cause);
  }
}
