package io.cusco.llama.cuda.standin;

import java.util.BitSet;

/// A stream capture under way: the graph so far and the streams that take part.
///
/// A second stream joins by waiting for an event that was recorded in the capture, and has to be
/// joined back in the same way. Which node comes before which is therefore kept per stream, not
/// assumed from the order of the calls; a graph replays in any order that this allows.
final class Capture {
  static final int MODE_GLOBAL = 0;
  static final int MODE_THREAD_LOCAL = 1;

  final SimulatedStream origin;
  final int mode;
  final Thread thread;
  final SimulatedGraph graph;

  /// Why the capture can no longer give a graph, or null.
  String invalidated;

  Capture(SimulatedStream origin, int mode, SimulatedGraph graph) {
    this.origin = origin;
    this.mode = mode;
    this.thread = Thread.currentThread();
    this.graph = graph;
  }

  /// Takes the work of a call on `stream`.
  void add(SimulatedStream stream, Work work) {
    int index = graph.add(work, stream.capturedBefore);
    stream.capturedBefore.set(index);
  }

  /// Whether every node comes before the end of the stream that the capture began in.
  boolean joined() {
    return origin.capturedBefore.cardinality() == graph.nodes().size();
  }

  /// Whether calls that could synchronise are forbidden to this thread for the time of the capture.
  boolean forbidsUnsafeCalls() {
    return mode == MODE_GLOBAL
        || (mode == MODE_THREAD_LOCAL && thread.equals(Thread.currentThread()));
  }

  void enter(SimulatedStream stream, BitSet before) {
    stream.capture = this;
    stream.capturedBefore = (BitSet) before.clone();
  }
}
