package io.cusco.llama.cuda.gpucheck;

import java.util.Arrays;

/// The parts of a run in their order, each in a process of its own: a GPU that one of them leaves
/// broken is whole again for the next.
enum Part {
  /// What copies and matrix products reach.
  CEILINGS(30),

  /// The tests with the tag `gpu`.
  TESTS(90),

  /// Logits against transformers.
  PARITY(60),

  /// D1 .. D4, P1.
  MODELS(130),

  /// Torch's attention, then K1 .. K3.
  KERNELS(70),

  /// The tests once more under compute-sanitizer. It also takes what the others left.
  SANITIZER(80);

  /// What a part keeps back of its share to end by itself; after the whole of it, it is stopped.
  private static final int RESERVE_SECONDS = 8;

  private final int seconds;

  Part(int seconds) {
    this.seconds = seconds;
  }

  /// The share of the time.
  int seconds() {
    return seconds;
  }

  /// The share that the part itself knows of.
  TimeShare share() {
    return new TimeShare(seconds - RESERVE_SECONDS);
  }

  /// What the parts have together; `scripts/gpu-check-run.sh` stops the run some seconds later.
  static int allSeconds() {
    return Arrays.stream(values()).mapToInt(Part::seconds).sum();
  }
}
