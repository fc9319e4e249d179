package io.cusco.llama.cuda;

import io.cusco.llama.cuda.driver.CudaException;
import io.cusco.llama.cuda.driver.CudaGraph;
import io.cusco.llama.cuda.driver.CudaGraphExec;
import io.cusco.llama.cuda.driver.CudaStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Recorded decode steps: one launch in place of hundreds. A graph serves every step of its shape,
/// because all that changes from step to step lies in [StepArrays].
///
/// Shapes are few: the number of sequences is padded to the next bucket, and the longest context to
/// the next power of two, which decides how many blocks attention starts. A shape is recorded when
/// it is met for the second time; a chat's one odd step is not worth the milliseconds. By then
/// every kernel of it is loaded, which a recorded stream might not allow.
///
/// A shape that cannot be recorded is launched as it is from then on: which algorithms cuBLAS
/// takes, and whether each can be recorded, is its own affair.
final class DecodeGraphs implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(DecodeGraphs.class);

  private static final int FINE_BUCKETS = 8;
  private static final int COARSE_STEP = 8;

  /// Powers of two that a context may be laid out for.
  private static final int CONTEXTS = Integer.SIZE;

  private final int maxSequences;
  // By sequences, then by context.
  private final CudaGraphExec[] graphs;
  private final boolean[] met;
  private final boolean[] refused;

  DecodeGraphs(int maxSequences) {
    this.maxSequences = maxSequences;
    graphs = new CudaGraphExec[Math.multiplyExact(maxSequences + 1, CONTEXTS)];
    met = new boolean[graphs.length];
    refused = new boolean[graphs.length];
  }

  /// 1, 2, 4, 8, then every multiple of 8, at most the model's limit.
  int bucket(int sequences) {
    int bucket =
        sequences <= FINE_BUCKETS
            ? Integer.highestOneBit(Math.max(1, 2 * sequences - 1))
            : Math.ceilDiv(sequences, COARSE_STEP) * COARSE_STEP;
    return Math.min(bucket, maxSequences);
  }

  /// Runs `launches` as a graph, or itself where there is none yet.
  ///
  /// @param sequences rows of the step, a [#bucket]
  /// @param context positions that attention is laid out for, a power of two
  void run(int sequences, int context, CudaStream stream, Runnable launches) {
    int shape = sequences * CONTEXTS + Integer.numberOfTrailingZeros(context);
    if (graphs[shape] == null && met[shape] && !refused[shape]) {
      try (CudaGraph captured = CudaGraph.capture(stream, launches)) {
        graphs[shape] = captured.instantiate();
      } catch (CudaException e) {
        refused[shape] = true;
        LOG.warn(
            "decode steps of {} sequences and up to {} positions are launched kernel by kernel, as they cannot be recorded: {}",
            sequences,
            context,
            e.getMessage());
      }
    }
    met[shape] = true;
    if (graphs[shape] == null) {
      launches.run();
    } else {
      graphs[shape].launch(stream);
    }
  }

  @Override
  public void close() {
    for (CudaGraphExec graph : graphs) {
      if (graph != null) {
        graph.close();
      }
    }
  }
}
