package io.cusco.llama.cuda;

import io.cusco.llama.LlamaException;
import java.util.ArrayDeque;
import java.util.Deque;

/// Things to be closed together, the youngest first. Not thread-safe.
final class Owned implements AutoCloseable {
  private final Deque<AutoCloseable> things = new ArrayDeque<>();

  <T extends AutoCloseable> T own(T thing) {
    things.push(thing);
    return thing;
  }

  /// Closes all, even if some fail; then throws the first failure.
  @Override
  public void close() {
    RuntimeException failure = null;
    while (!things.isEmpty()) {
      try {
        things.pop().close();
      } catch (RuntimeException e) {
        failure = merge(failure, e);
      } catch (Exception e) {
        failure = merge(failure, new LlamaException("closing failed: " + e, e));
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  private static RuntimeException merge(RuntimeException first, RuntimeException next) {
    if (first == null) {
      return next;
    }
    first.addSuppressed(next);
    return first;
  }
}
