package io.cusco.llama.cuda.standin;

import java.util.ArrayDeque;
import java.util.BitSet;

/// A stream: a queue of which nothing runs until somebody waits for it.
final class SimulatedStream {
  final String name;

  /// Whether it waits for the legacy default stream and the other way round; false with
  /// CU_STREAM_NON_BLOCKING.
  final boolean blocking;

  final ArrayDeque<Operation> queue = new ArrayDeque<>();

  /// The newest operation ever submitted, or null.
  Operation last;

  /// The capture that takes this stream's work in place of the queue, or null.
  Capture capture;

  boolean destroyed;

  /// While capturing: the nodes that come before the stream's next one.
  BitSet capturedBefore = new BitSet();

  SimulatedStream(String name, boolean blocking) {
    this.name = name;
    this.blocking = blocking;
  }

  @Override
  public String toString() {
    return name;
  }
}
