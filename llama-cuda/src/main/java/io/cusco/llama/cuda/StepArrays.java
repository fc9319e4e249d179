package io.cusco.llama.cuda;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaEvent;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.PinnedBuffer;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A step's integers on the device, each array at a fixed address, so that a captured graph finds
/// the next step's values where it found the last one's. One copy brings them there.
///
/// ```
/// | tokenIds | positions | slotMapping | queryStarts | contextLengths | logitTokens | blockTables |
///   maxTokens  maxTokens   maxTokens     maxSeqs + 1   maxSeqs          maxRows       maxSeqs x stride
/// ```
///
/// The host side exists twice: the next step is written while the last one's copy may still be on
/// its way. Used on the context's thread.
final class StepArrays implements AutoCloseable {
  /// What an id is that pads a batch, the number of no draw: the embedding kernel answers it with
  /// zeros.
  private static final int NO_ID = Integer.MIN_VALUE;

  /// A slot that stores nothing.
  private static final int NO_SLOT = -1;

  private static final int HOST_BLOCKS = 2;

  private final int stride;
  private final long positionsAt;
  private final long slotsAt;
  private final long queryStartsAt;
  private final long contextLengthsAt;
  private final long logitTokensAt;
  private final long blockTablesAt;
  private final DeviceBuffer device;
  private final PinnedBuffer[] host = new PinnedBuffer[HOST_BLOCKS];
  private final CudaEvent[] copied = new CudaEvent[HOST_BLOCKS];
  private int next;

  /// @param stride blocks per sequence in the block tables
  StepArrays(CudaContext context, StepLimits limits, int stride) {
    this.stride = stride;
    int maxTokens = Math.max(limits.maxTokens(), limits.maxSequences());
    positionsAt = ints(maxTokens);
    slotsAt = positionsAt + ints(maxTokens);
    queryStartsAt = slotsAt + ints(maxTokens);
    contextLengthsAt = queryStartsAt + ints(limits.maxSequences() + 1);
    logitTokensAt = contextLengthsAt + ints(limits.maxSequences());
    blockTablesAt = logitTokensAt + ints(limits.maxRows());
    long numBytes =
        blockTablesAt + Math.multiplyExact((long) limits.maxSequences() * stride, Integer.BYTES);
    device = DeviceBuffer.allocate(context, "step arrays", numBytes);
    try {
      for (int i = 0; i < HOST_BLOCKS; i++) {
        host[i] = PinnedBuffer.allocate(context, numBytes);
        copied[i] = CudaEvent.create(context);
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /// Every array starts at a multiple of 16 bytes.
  private static long ints(int count) {
    return ((long) count * Integer.BYTES + 15) & -16L;
  }

  /// Queues the copy of `step`, padded to `paddedSequences` sequences of one token that see nothing
  /// and store nothing. Padding is for steps that only decode and want all logits; it fits into the
  /// limits for sequences and for logits.
  void upload(StepInput step, int paddedSequences, CudaStream stream) {
    int block = next;
    next = (next + 1) % HOST_BLOCKS;
    copied[block].synchronize();
    MemorySegment target = host[block].segment();
    int tokens = step.numTokens();
    int sequences = step.numSequences();
    int padding = paddedSequences - sequences;
    put(target, 0, step.tokenIds(), tokens, padding, NO_ID);
    put(target, positionsAt, step.positions(), tokens, padding, 0);
    put(target, slotsAt, step.slotMapping(), tokens, padding, NO_SLOT);
    put(target, queryStartsAt, step.queryStarts(), sequences + 1, 0, 0);
    for (int i = 1; i <= padding; i++) {
      target.set(
          ValueLayout.JAVA_INT, queryStartsAt + (long) (sequences + i) * Integer.BYTES, tokens + i);
    }
    put(target, contextLengthsAt, step.contextLengths(), sequences, padding, 0);
    put(target, logitTokensAt, step.logitTokens(), step.numLogits(), 0, 0);
    for (int i = 0; i < padding; i++) {
      int row = step.numLogits() + i;
      target.set(ValueLayout.JAVA_INT, logitTokensAt + (long) row * Integer.BYTES, tokens + i);
    }
    putTables(target, step);
    long used = blockTablesAt + (long) sequences * stride * Integer.BYTES;
    device.copyFrom(target, used, 0, stream);
    stream.record(copied[block]);
  }

  private static void put(
      MemorySegment target, long at, int[] values, int count, int padding, int pad) {
    MemorySegment.copy(values, 0, target, ValueLayout.JAVA_INT, at, count);
    for (int i = 0; i < padding; i++) {
      target.set(ValueLayout.JAVA_INT, at + (long) (count + i) * Integer.BYTES, pad);
    }
  }

  private void putTables(MemorySegment target, StepInput step) {
    int given = step.blockTableStride();
    if (given > stride) {
      throw new IllegalArgumentException(
          "block tables of %d blocks per sequence, the model was loaded for %d"
              .formatted(given, stride));
    }
    if (given == stride) {
      MemorySegment.copy(
          step.blockTables(),
          0,
          target,
          ValueLayout.JAVA_INT,
          blockTablesAt,
          step.numSequences() * stride);
      return;
    }
    for (int i = 0; i < step.numSequences(); i++) {
      long at = blockTablesAt + (long) i * stride * Integer.BYTES;
      MemorySegment.copy(step.blockTables(), i * given, target, ValueLayout.JAVA_INT, at, given);
      for (int j = given; j < stride; j++) {
        target.set(ValueLayout.JAVA_INT, at + (long) j * Integer.BYTES, -1);
      }
    }
  }

  int stride() {
    return stride;
  }

  /// `[numTokens]`.
  long tokenIds() {
    return device.address();
  }

  /// `[numTokens]`.
  long positions() {
    return device.address() + positionsAt;
  }

  /// `[numTokens]`.
  long slotMapping() {
    return device.address() + slotsAt;
  }

  /// `[numSequences + 1]`.
  long queryStarts() {
    return device.address() + queryStartsAt;
  }

  /// `[numSequences]`.
  long contextLengths() {
    return device.address() + contextLengthsAt;
  }

  /// `[numLogits]`.
  long logitTokens() {
    return device.address() + logitTokensAt;
  }

  /// `[numSequences, stride]`, padded with -1.
  long blockTables() {
    return device.address() + blockTablesAt;
  }

  @Override
  public void close() {
    for (int i = 0; i < HOST_BLOCKS; i++) {
      if (copied[i] != null) {
        copied[i].synchronize();
        copied[i].close();
      }
      if (host[i] != null) {
        host[i].close();
      }
    }
    device.close();
  }
}
