package io.cusco.llama.cuda;

import io.cusco.llama.cuda.driver.CudaGraph;
import io.cusco.llama.cuda.driver.CudaGraphExec;
import io.cusco.llama.cuda.driver.CudaStream;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/// Recorded decode steps: one launch in place of hundreds. A graph serves every step of its shape,
/// because all that changes from step to step lies in [StepArrays].
///
/// Shapes are few: the number of sequences is padded to the next bucket, and the longest context to
/// the next power of two, which decides how many blocks attention starts. A shape is recorded when
/// it is met for the second time; a chat's one odd step is not worth the milliseconds.
final class DecodeGraphs implements AutoCloseable {
  private static final int FINE_BUCKETS = 8;
  private static final int COARSE_STEP = 8;

  private final int maxSequences;
  private final Map<Shape, CudaGraphExec> graphs = new HashMap<>();
  private final Set<Shape> met = new HashSet<>();

  DecodeGraphs(int maxSequences) {
    this.maxSequences = maxSequences;
  }

  /// @param sequences rows of the step, padding included
  /// @param context positions that attention is laid out for
  record Shape(int sequences, int context) {}

  /// 1, 2, 4, 8, then every multiple of 8, at most the model's limit.
  int bucket(int sequences) {
    int bucket =
        sequences <= FINE_BUCKETS
            ? Integer.highestOneBit(Math.max(1, 2 * sequences - 1))
            : Math.ceilDiv(sequences, COARSE_STEP) * COARSE_STEP;
    return Math.min(bucket, maxSequences);
  }

  /// Runs `launches` as a graph, or itself where there is none yet.
  void run(Shape shape, CudaStream stream, Runnable launches) {
    CudaGraphExec graph = graphs.get(shape);
    if (graph == null && !met.add(shape)) {
      try (CudaGraph captured = CudaGraph.capture(stream, launches)) {
        graph = captured.instantiate();
      }
      graphs.put(shape, graph);
    }
    if (graph == null) {
      launches.run();
    } else {
      graph.launch(stream);
    }
  }

  @Override
  public void close() {
    graphs.values().forEach(CudaGraphExec::close);
    graphs.clear();
  }
}
