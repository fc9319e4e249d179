package io.cusco.llama.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// Tokens per second over the last seconds, from marks of the running total.
///
/// ```
/// total  0 ......... 80 ....... 160          240
/// marks  |           |          |            now
///                  ^ cut = now - window: 60 by interpolation, so 180 tokens in the window
/// ```
///
/// The engine thread marks; any thread may ask.
final class TokenRate {
  private static final long STEP_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long WINDOW_NANOS = TimeUnit.SECONDS.toNanos(EngineStats.RATE_SECONDS);

  private record Mark(long nanos, long total) {}

  /// Oldest first, never empty.
  private volatile List<Mark> marks;

  TokenRate(long nanos) {
    this.marks = List.of(new Mark(nanos, 0));
  }

  /// Marks the total if the last mark is a while ago.
  void markNowAndThen(long nanos, long total) {
    if (nanos - marks.getLast().nanos >= STEP_NANOS) {
      mark(nanos, total);
    }
  }

  /// Marks the total: before and after a pause.
  void mark(long nanos, long total) {
    List<Mark> next = new ArrayList<>(marks);
    // Many short pauses move the last mark on instead of adding marks.
    if (next.size() > 1 && nanos - next.get(next.size() - 2).nanos < STEP_NANOS) {
      next.removeLast();
    }
    next.add(new Mark(nanos, total));
    while (next.size() > 2 && nanos - next.get(1).nanos >= WINDOW_NANOS) {
      next.removeFirst();
    }
    marks = List.copyOf(next);
  }

  /// Tokens per second in the window that ends at `nanos`, or since the beginning where that is
  /// less.
  double at(long nanos, long total) {
    List<Mark> known = marks;
    long cut = nanos - WINDOW_NANOS;
    Mark before = known.getFirst();
    if (before.nanos - cut >= 0) {
      long elapsed = nanos - before.nanos;
      return elapsed <= 0 ? 0 : (total - before.total) * (double) STEP_NANOS / elapsed;
    }
    Mark after = new Mark(nanos, total);
    for (int i = known.size() - 1; i >= 0; i--) {
      Mark mark = known.get(i);
      if (mark.nanos - cut <= 0) {
        before = mark;
        break;
      }
      after = mark;
    }
    double part = (double) (cut - before.nanos) / (after.nanos - before.nanos);
    double totalAtCut = before.total + part * (after.total - before.total);
    return (total - totalAtCut) * STEP_NANOS / WINDOW_NANOS;
  }
}
