package io.cusco.llama.engine;

import java.util.concurrent.Semaphore;

/// One request's place among those that may wait for their first step. Taken by the submitting
/// thread and given back once, by the engine thread unless the request never got there.
final class QueuePlace {
  private final Semaphore places;
  private boolean givenBack;

  /// Takes over a permit that was acquired.
  QueuePlace(Semaphore places) {
    this.places = places;
  }

  /// Idempotent.
  void giveBack() {
    if (!givenBack) {
      givenBack = true;
      places.release();
    }
  }
}
