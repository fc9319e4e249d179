package io.cusco.llama.cuda.standin;

import java.util.List;

/// Work waiting in a stream, behind everything before it in the same stream and behind `after`.
final class Operation {
  final SimulatedStream stream;
  final Work work;

  /// Operations of other streams, all of them submitted earlier: chains of these never close to a
  /// circle.
  List<Operation> after;

  boolean done;

  Operation(SimulatedStream stream, Work work, List<Operation> after) {
    this.stream = stream;
    this.work = work;
    this.after = after;
  }

  /// Runs the work, and lets go of what came before: otherwise a stream's last operation would keep
  /// all of its past in memory.
  void run() {
    done = true;
    after = List.of();
    work.action().run();
  }
}
