package io.cusco.llama.engine;

import java.util.Comparator;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;

/// The sequences that have a deadline, the one that is due first in front; the others are not kept.
/// Owned by the engine thread.
final class Deadlines {
  /// Times are compared by their difference, as `System.nanoTime` wants it.
  private static final Comparator<Sequence> BY_DEADLINE =
      ((Comparator<Sequence>)
              (a, b) -> Long.signum(a.deadlineNanos().getAsLong() - b.deadlineNanos().getAsLong()))
          .thenComparingLong(Sequence::requestId)
          .thenComparingInt(Sequence::sample);

  private final NavigableSet<Sequence> sequences = new TreeSet<>(BY_DEADLINE);

  void add(Sequence sequence) {
    if (sequence.deadlineNanos().isPresent()) {
      sequences.add(sequence);
    }
  }

  /// Forgets a sequence that has ended.
  void remove(Sequence sequence) {
    if (sequence.deadlineNanos().isPresent()) {
      sequences.remove(sequence);
    }
  }

  /// Takes out a sequence whose time is up.
  Optional<Sequence> pollDue() {
    if (sequences.isEmpty()
        || sequences.first().deadlineNanos().getAsLong() - System.nanoTime() > 0) {
      return Optional.empty();
    }
    return Optional.of(sequences.pollFirst());
  }
}
