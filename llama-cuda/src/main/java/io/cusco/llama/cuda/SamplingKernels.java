package io.cusco.llama.cuda;

import static io.cusco.llama.cuda.driver.ParameterType.INT;
import static io.cusco.llama.cuda.driver.ParameterType.POINTER;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaEvent;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.PinnedBuffer;
import io.cusco.llama.sampling.SamplingStep;
import java.lang.foreign.MemorySegment;

/// Draws a step's tokens on the device: those that core's [io.cusco.llama.sampling.Sampler] draws
/// from the same logits, unless the random number or a cut falls within about 1e-6 of a boundary.
/// Results do not depend on the other draws of a step.
///
/// A step is one copy up, one launch, one copy down: [#launch] queues them, [#collect] waits. The
/// ids also stay on the device, at [#ids], for the next step's input.
///
/// ```
/// up    | draws | entries (biases and histories) |     pinned and device, grows with the entries
/// down  | ids [maxRows] | reports [maxRows]      |     pinned and device, only used reports travel
/// undo  [entries] float32                              what a row held before biases and penalties
/// ```
///
/// Nothing of a step's size is allocated, unless it has more entries than any before, or
/// log-probabilities to report. Used on the context's thread.
final class SamplingKernels implements AutoCloseable {
  /// `BINS * SEGMENT` in selection.cuh.
  static final int MAX_VOCAB_SIZE = 1 << 19;

  private static final int THREADS = 1024;

  /// Entries that there is room for at first.
  private static final int FIRST_ENTRIES = 4096;

  private final CudaContext context;
  private final int vocabSize;
  private final int maxRows;
  private final long reportsAt;
  private final KernelLaunch sample;
  private final DeviceBuffer down;
  private final DrawnIds ids;
  private PinnedBuffer downHost;
  private CudaEvent done;
  private DeviceBuffer up;
  private PinnedBuffer upHost;
  private DeviceBuffer undo;

  /// The launch that last used a row; rows that recur go into different ones.
  private final int[] lastLaunch;

  private int numLaunches;
  private boolean pending;

  /// @param modules must outlive these kernels
  /// @param maxRows rows of logits, and draws, of one step
  /// @throws IllegalArgumentException if the vocabulary exceeds [#MAX_VOCAB_SIZE]
  SamplingKernels(KernelModules modules, CudaContext context, int vocabSize, int maxRows) {
    if (vocabSize <= 0 || vocabSize > MAX_VOCAB_SIZE) {
      throw new IllegalArgumentException(
          "the sampling kernel takes vocabularies of 1 .. %d, got %d"
              .formatted(MAX_VOCAB_SIZE, vocabSize));
    }
    this.context = context;
    this.vocabSize = vocabSize;
    this.maxRows = maxRows;
    lastLaunch = new int[maxRows];
    reportsAt = ((long) maxRows * Integer.BYTES + 15) & -16L;
    sample =
        modules
            .kernel(
                Family.SAMPLING,
                "sample",
                POINTER,
                POINTER,
                POINTER,
                POINTER,
                POINTER,
                POINTER,
                INT)
            .block(THREADS, 1)
            .set(6, vocabSize);
    long downBytes = reportsAt + (long) maxRows * LogprobReports.REPORT_BYTES;
    down = DeviceBuffer.allocate(context, "drawn tokens", downBytes);
    ids = new DrawnIds(down.address(), maxRows);
    try {
      downHost = PinnedBuffer.allocate(context, downBytes);
      done = CudaEvent.create(context);
      reserve((long) maxRows * DrawBlock.DRAW_BYTES + (long) FIRST_ENTRIES * DrawBlock.ENTRY_BYTES);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /// Makes room for a step of `numBytes` bytes. Nothing is queued that uses what was there.
  private void reserve(long numBytes) {
    if (upHost != null && numBytes <= upHost.numBytes()) {
      return;
    }
    long room = upHost == null ? numBytes : Math.max(numBytes, 2 * upHost.numBytes());
    closeUp();
    long undoBytes = room / DrawBlock.ENTRY_BYTES * Float.BYTES;
    undo = DeviceBuffer.allocate(context, "replaced logits", undoBytes);
    up = DeviceBuffer.allocate(context, "sampling parameters", room);
    // Last: a step after one that found no memory tries again.
    upHost = PinnedBuffer.allocate(context, room);
  }

  /// Queues the draws of `step`; a [#collect] must follow before the next launch.
  ///
  /// @param logits device address of `[rows, vocabSize]` float32, a multiple of 16; changed and
  ///   restored meanwhile
  /// @throws IllegalArgumentException for more draws than rows, a row outside of them, or a token
  ///   id outside of the vocabulary
  void launch(CudaStream stream, long logits, SamplingStep step) {
    if (pending) {
      throw new IllegalStateException("the draws of the last step were not collected");
    }
    checkRows(step);
    long numBytes = DrawBlock.numBytes(step);
    reserve(numBytes);
    int numReports = DrawBlock.write(step, vocabSize, upHost.segment());
    if (step.size() == 0) {
      return;
    }
    up.copyFrom(upHost.segment(), numBytes, 0, stream);
    sample
        .rows(0, logits)
        .elements(2, up.address() + (long) step.size() * DrawBlock.DRAW_BYTES)
        .elements(3, undo.address())
        .elements(5, down.address() + reportsAt);
    int first = 0;
    while (first < step.size()) {
      int end = endOfLaunch(step, first);
      sample
          .elements(1, up.address() + (long) first * DrawBlock.DRAW_BYTES)
          .elements(4, down.address() + (long) first * Integer.BYTES);
      sample.launch(stream, end - first);
      first = end;
    }
    long downBytes = reportsAt + (long) numReports * LogprobReports.REPORT_BYTES;
    down.copyTo(downHost.segment(), downBytes, 0, stream);
    stream.record(done);
    pending = true;
  }

  private void checkRows(SamplingStep step) {
    if (step.size() > maxRows) {
      throw new IllegalArgumentException(
          "a step has up to %d draws, got %d".formatted(maxRows, step.size()));
    }
    for (int i = 0; i < step.size(); i++) {
      int row = step.logitsRow(i);
      if (row < 0 || row >= maxRows) {
        throw new IllegalArgumentException(
            "draw %d: row %d is outside of the %d rows of logits".formatted(i, row, maxRows));
      }
    }
  }

  /// The first draw from `first` on whose row an earlier one of them has: bias and penalties change
  /// the row while a draw runs, so that no two may run at once.
  private int endOfLaunch(SamplingStep step, int first) {
    numLaunches++;
    int end = first;
    while (end < step.size() && lastLaunch[step.logitsRow(end)] != numLaunches) {
      lastLaunch[step.logitsRow(end)] = numLaunches;
      end++;
    }
    return end;
  }

  /// Waits for the last launch and hands over its ids and log-probabilities.
  ///
  /// @param step the launch's
  /// @param nextTokenIds receives `step.size()` ids, see [SamplingStep#NO_TOKEN]
  void collect(SamplingStep step, int[] nextTokenIds) {
    if (step.size() == 0) {
      return;
    }
    if (!pending) {
      throw new IllegalStateException("no draws were launched");
    }
    pending = false;
    done.synchronize();
    MemorySegment results = downHost.segment();
    long report = reportsAt;
    for (int i = 0; i < step.size(); i++) {
      int id = results.get(JAVA_INT, (long) i * Integer.BYTES);
      nextTokenIds[i] = id;
      if (step.params(i).wantsLogprobs()) {
        if (id != SamplingStep.NO_TOKEN) {
          step.acceptLogprobs(i, LogprobReports.read(results, report, id));
        }
        report += LogprobReports.REPORT_BYTES;
      }
    }
  }

  /// Where the last launch leaves its ids on the device; the same for every step.
  DrawnIds ids() {
    return ids;
  }

  private void closeUp() {
    close(up);
    close(upHost);
    close(undo);
    up = null;
    upHost = null;
    undo = null;
  }

  private static void close(DeviceBuffer buffer) {
    if (buffer != null) {
      buffer.close();
    }
  }

  private static void close(PinnedBuffer buffer) {
    if (buffer != null) {
      buffer.close();
    }
  }

  /// Frees the buffers; queued draws must be done. Idempotent.
  @Override
  public void close() {
    closeUp();
    close(down);
    close(downHost);
    if (done != null) {
      done.close();
    }
  }
}
