package io.cusco.llama.engine;

import java.util.concurrent.Semaphore;

/// One request's place among those that may wait for their first step: taken by the submitting
/// thread, given back when the last of its samples has begun or ended.
final class QueuePlace {
  private final Semaphore places;
  private int waiting;

  /// Takes over a permit that was acquired.
  ///
  /// @param samples how many have to leave
  QueuePlace(Semaphore places, int samples) {
    this.places = places;
    this.waiting = samples;
  }

  /// One sample waits no more; called on the engine thread, once for each.
  void leave() {
    waiting--;
    if (waiting == 0) {
      places.release();
    }
  }
}
