package io.cusco.llama.cuda.emulator;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/// The `cp.async` copies that the threads of a warp have under way. What a copy read is kept aside
/// and lands only when a wait covers it, so that a missing or too weak wait never passes by luck.
final class AsyncCopies {
  /// One copy that has not landed.
  ///
  /// @param bytes what it brings
  record Copy(long address, byte[] bytes) {}

  private final List<List<Copy>> open = new ArrayList<>();
  private final List<Deque<List<Copy>>> groups = new ArrayList<>();

  AsyncCopies() {
    for (int lane = 0; lane < 32; lane++) {
      open.add(new ArrayList<>());
      groups.add(new ArrayDeque<>());
    }
  }

  void clear() {
    open.forEach(List::clear);
    groups.forEach(Deque::clear);
  }

  void issue(int lane, Copy copy) {
    open.get(lane).add(copy);
  }

  /// Closes the group of a thread, even an empty one.
  void commit(int lane) {
    groups.get(lane).add(List.copyOf(open.get(lane)));
    open.get(lane).clear();
  }

  /// What lands when a thread waits for all but its `pending` newest groups.
  List<Copy> waitGroup(int lane, int pending) {
    List<Copy> landed = new ArrayList<>();
    while (groups.get(lane).size() > pending) {
      landed.addAll(groups.get(lane).remove());
    }
    return landed;
  }

  /// What lands when a thread waits for everything, in groups or not.
  List<Copy> waitAll(int lane) {
    commit(lane);
    return waitGroup(lane, 0);
  }
}
