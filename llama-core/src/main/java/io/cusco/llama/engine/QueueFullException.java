package io.cusco.llama.engine;

import io.cusco.llama.LlamaException;

/// As many requests wait as the engine lets wait; the same request may be taken later.
public final class QueueFullException extends LlamaException {
  private static final long serialVersionUID = 1L;

  QueueFullException(int maxQueued) {
    super(
        "%d requests wait already, as many as may: submit again later, or let submit wait (%s)"
            .formatted(maxQueued, EngineOptions.QueueFull.WAIT));
  }
}
