package io.cusco.llama.engine;

import io.cusco.llama.LlamaException;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StepBatch;
import io.cusco.llama.model.StepLimits;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Queue;

/// The steps of texts that are read: as many texts side by side as a step holds, in order of
/// arrival, long ones in several steps. A text gets the blocks for all of its tokens before it
/// starts, and so never loses them.
///
/// ```
/// waiting --blocks for all tokens--> started --a step each--> read
/// ```
///
/// Owned by the engine thread.
final class ReadSteps {
  private final LlamaModel model;
  private final StepLimits limits;
  private final BlockManager blocks;
  private final StepBatch step;
  private final Queue<ReadTask<?>> waiting = new ArrayDeque<>();

  /// In order of arrival. The first ones are those of the step under way.
  private final List<ReadTask<?>> started = new ArrayList<>();

  /// A text's part of the step.
  private record Part<T>(ReadTask<T> task, int row, int rows) {
    /// @return whether the text is done with, one way or the other
    boolean read(LlamaModel model) {
      try {
        CachedTokens text = task.tokens();
        if (rows > 0 && !task.done().isDone()) {
          task.reader().read(model, row, rows, text.numComputed() - rows);
        }
        if (text.numRemaining() == 0) {
          task.done().complete(task.reader().result());
        }
      } catch (RuntimeException e) {
        task.done().completeExceptionally(failure(task, e));
      }
      return task.done().isDone();
    }
  }

  /// @param step is filled anew by each step, here and elsewhere
  ReadSteps(LlamaModel model, BlockManager blocks, StepBatch step) {
    this.model = model;
    this.limits = model.limits();
    this.blocks = blocks;
    this.step = step;
  }

  void add(ReadTask<?> task) {
    waiting.add(task);
  }

  boolean isEmpty() {
    return waiting.isEmpty() && started.isEmpty();
  }

  int numStarted() {
    return started.size();
  }

  int numWaiting() {
    return waiting.size();
  }

  /// Runs a step for the texts that have, or get, their blocks.
  ///
  /// @return whether there was one to run
  boolean runStep() {
    dropAbandoned();
    List<Part<?>> parts = plan();
    if (parts.isEmpty()) {
      return false;
    }
    try {
      model.forward(step);
    } catch (RuntimeException e) {
      fail(parts, e);
      return true;
    }
    for (int i = 0; i < parts.size(); i++) {
      Part<?> part = parts.get(i);
      part.task().tokens().advance(step.numTokens(i));
      if (part.task().rows() == ReadTask.Rows.LAST) {
        blocks.confirm(part.task().tokens());
      }
    }
    for (Part<?> part : parts) {
      if (part.read(model)) {
        started.remove(part.task());
        blocks.release(part.task().tokens());
      }
    }
    return true;
  }

  /// Fails all texts: those under way and those that wait.
  void close(LlamaException reason) {
    started.forEach(task -> blocks.release(task.tokens()));
    waiting.forEach(task -> task.leaveQueue().run());
    started.forEach(task -> task.done().completeExceptionally(reason));
    waiting.forEach(task -> task.done().completeExceptionally(reason));
    started.clear();
    waiting.clear();
  }

  private void dropAbandoned() {
    for (Iterator<ReadTask<?>> tasks = started.iterator(); tasks.hasNext(); ) {
      ReadTask<?> task = tasks.next();
      if (task.done().isDone()) {
        tasks.remove();
        blocks.release(task.tokens());
      }
    }
    waiting.removeIf(task -> {
      boolean abandoned = task.done().isDone();
      if (abandoned) {
        task.leaveQueue().run();
      }
      return abandoned;
    });
  }

  private List<Part<?>> plan() {
    List<Part<?>> parts = new ArrayList<>();
    step.clear().wantLogits(false);
    for (int i = 0; i < limits.maxSequences(); i++) {
      if (i == started.size() && !admitNext()) {
        break;
      }
      ReadTask<?> task = started.get(i);
      boolean logits = step.wantsLogits() || task.wantsLogits();
      int maxRows = logits ? limits.maxLogits() : limits.maxRows();
      int count = task.fit(step.tokensLeft(), maxRows - step.numLogits());
      if (count <= 0) {
        break;
      }
      int rows = task.rowsOf(count);
      parts.add(new Part<>(task, step.numLogits(), rows));
      step.add(task.tokens(), task.tokens().numComputed(), count, rows);
      step.wantLogits(step.wantsLogits() || (rows > 0 && task.wantsLogits()));
      if (task.rows() == ReadTask.Rows.LAST) {
        blocks.offer(task.tokens(), task.tokens().numComputed() + count);
      }
    }
    return parts;
  }

  /// Gives the next text its blocks; where every row is wanted, none that are computed already.
  private boolean admitNext() {
    ReadTask<?> task = waiting.peek();
    if (task == null || step.tokensLeft() == 0) {
      return false;
    }
    CachedTokens tokens = task.tokens();
    boolean admitted =
        switch (task.rows()) {
          case ALL -> blocks.reserve(tokens, tokens.size());
          case LAST -> blocks.admit(tokens);
        };
    if (admitted) {
      started.add(waiting.remove());
      task.leaveQueue().run();
    }
    return admitted;
  }

  private void fail(List<Part<?>> parts, RuntimeException cause) {
    blocks.revoke();
    for (Part<?> part : parts) {
      started.remove(part.task());
      blocks.release(part.task().tokens());
      part.task().done().completeExceptionally(failure(part.task(), cause));
    }
  }

  private static LlamaException failure(ReadTask<?> task, RuntimeException cause) {
    return cause instanceof LlamaException known
        ? known
        : new LlamaException(
            "reading a text of %d tokens failed: %s".formatted(task.tokens().size(), cause), cause);
  }
}
