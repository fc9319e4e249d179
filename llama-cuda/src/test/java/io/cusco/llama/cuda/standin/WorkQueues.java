package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/// The streams of a context and the rule for when their work runs: as late as the API allows.
///
/// Work runs only when a call waits for it, and then no more of it than that call promises. A
/// program that forgets to wait reads old memory every time, where a GPU would be fast enough to
/// hide the fault. Streams between which nothing says an order run in a random one.
final class WorkQueues {
  /// The stream of handle 0. It waits for every blocking stream, and they for it.
  final SimulatedStream legacy = new SimulatedStream("the legacy default stream", true);

  private final List<SimulatedStream> streams = new ArrayList<>(List.of(legacy));
  private final Set<Capture> captures = new HashSet<>();
  private final Random random;

  WorkQueues(Random random) {
    this.random = random;
  }

  void add(SimulatedStream stream) {
    streams.add(stream);
  }

  /// Takes a stream away that nobody can name any more. Like cuStreamDestroy this waits for
  /// nothing: work that is left runs when something else waits for it.
  void remove(SimulatedStream stream) {
    stream.destroyed = true;
    dropDestroyed();
  }

  private void dropDestroyed() {
    streams.removeIf(stream -> stream.destroyed && stream.queue.isEmpty());
  }

  /// Queues work, or makes it a node where the stream is being captured.
  Operation submit(SimulatedStream stream, Work work) {
    return submit(stream, work, List.of());
  }

  /// Queues work that also waits for operations of other streams.
  Operation submit(SimulatedStream stream, Work work, List<Operation> alsoAfter) {
    if (stream.capture != null) {
      requireValid(stream.capture);
      stream.capture.add(stream, work);
      return null;
    }
    List<Operation> after = new ArrayList<>(alsoAfter);
    if (stream == legacy) {
      rejectLegacyDuringCapture();
      for (SimulatedStream other : streams) {
        if (other != legacy && other.blocking && other.last != null) {
          after.add(other.last);
        }
      }
    } else if (stream.blocking && legacy.last != null) {
      after.add(legacy.last);
    }
    after.removeIf(operation -> operation.done);
    Operation operation = new Operation(stream, work, List.copyOf(after));
    stream.queue.add(operation);
    stream.last = operation;
    return operation;
  }

  /// Runs an operation and whatever has to come before it.
  void run(Operation operation) {
    while (!operation.done) {
      Operation next = operation.stream.queue.element();
      next.after.forEach(this::run);
      operation.stream.queue.remove();
      next.run();
    }
  }

  void runAll(SimulatedStream stream) {
    if (stream.last != null) {
      run(stream.last);
    }
  }

  /// Runs everything, the streams in a random order.
  void runAll() {
    List<SimulatedStream> order = new ArrayList<>(streams);
    Collections.shuffle(order, random);
    order.forEach(this::runAll);
    dropDestroyed();
  }

  /// Runs the one operation that `operation` waits for longest: a program that polls gets
  /// somewhere, and one that asks once and reads anyway does not.
  void runOneOf(Operation operation) {
    Operation next = operation.stream.queue.element();
    for (Operation dependency : next.after) {
      if (!dependency.done) {
        runOneOf(dependency);
        return;
      }
    }
    run(next);
  }

  /// Drops all work, at the end of the context.
  void clear() {
    streams.forEach(stream -> stream.queue.clear());
    captures.clear();
  }

  Set<Capture> captures() {
    return captures;
  }

  /// Ends a capture in every stream that takes part.
  void end(Capture capture) {
    captures.remove(capture);
    for (SimulatedStream stream : streams) {
      if (stream.capture == capture) {
        stream.capture = null;
      }
    }
  }

  static void requireValid(Capture capture) {
    StandInFault.require(
        capture.invalidated == null,
        CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
        "the capture of %s is of no more use: %s",
        capture.origin,
        capture.invalidated);
  }

  /// Refuses a call that may synchronise, or that allocates, while a capture forbids it, and spoils
  /// that capture, as the driver does.
  void rejectUnsafeDuringCapture(String call) {
    for (Capture capture : captures) {
      if (capture.forbidsUnsafeCalls()) {
        capture.invalidated = call + " is not allowed during a capture";
        throw new StandInFault(
            CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
            "%s during the capture of %s: it may synchronise; do it before or after"
                .formatted(call, capture.origin));
      }
    }
  }

  /// Refuses work in the legacy stream while a stream that it would wait for is captured.
  void rejectLegacyDuringCapture() {
    for (SimulatedStream stream : streams) {
      if (stream.capture != null && stream.blocking) {
        stream.capture.invalidated = "work was given to the legacy default stream";
        throw new StandInFault(
            CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,
            "the legacy default stream waits for %s, which is being captured; create it non-blocking"
                .formatted(stream));
      }
    }
  }
}
