package io.cusco.llama.cuda.standin;

import java.util.BitSet;

/// An event: a mark in the queue of a stream, or in a capture.
final class SimulatedEvent {
  final String name;
  final boolean timing;

  /// The mark of the last cuEventRecord outside a capture, or null.
  Operation recorded;

  /// The capture that the last cuEventRecord was part of, or null.
  Capture capture;

  /// The nodes of that capture that come before the event.
  BitSet capturedBefore = new BitSet();

  SimulatedEvent(String name, boolean timing) {
    this.name = name;
    this.timing = timing;
  }

  @Override
  public String toString() {
    return name;
  }
}
