package io.cusco.llama.cuda.emulator;

import java.util.Arrays;

/// Who touched each byte last: one stamp for the last write and one for the last read.
///
/// ```
/// bit 63      | 62..41 | 40..26        | 25..14     | 13..11                     | 10     | 9..0
/// 1 = touched | block  | barrier epoch | warp epoch | many blocks, warps, lanes  | atomic | thread
/// ```
///
/// Two accesses of one launch conflict if one of them writes, not both are atomic, and they are of
/// different blocks; or of the same block and barrier epoch and of different warps; or, in strict
/// mode, of the same warp and warp epoch and of different lanes. Readers overwrite each other's
/// stamps; the "many" bits keep that there were several since the last barrier. Stamps are
/// forgotten page by page when a newer generation (a launch, or a block for shared memory) touches
/// them.
final class RaceShadow {
  static final long TOUCHED = 1L << 63;
  static final int BLOCK_SHIFT = 41;
  static final int EPOCH_SHIFT = 26;
  static final int WARP_EPOCH_SHIFT = 14;
  static final long ATOMIC = 1L << 10;
  private static final long MANY_LANES = 1L << 11;
  private static final long MANY_WARPS = 1L << 12;
  private static final long MANY_BLOCKS = 1L << 13;
  private static final int THREAD_MASK = 1023;
  private static final int PAGE_SHIFT = 8;
  private static final int PAGE_BYTES = 1 << PAGE_SHIFT;
  private static final int IN_PAGE = PAGE_BYTES - 1;

  /// Made at the first touch: a kernel mostly touches a small part of a cache or a workspace.
  private final Page[] pages;

  RaceShadow(int numBytes) {
    pages = new Page[(numBytes >> PAGE_SHIFT) + 1];
  }

  /// The stamps of some neighbouring bytes, and of which generation they are.
  private static final class Page {
    final long[] writers = new long[PAGE_BYTES];
    final long[] readers = new long[PAGE_BYTES];
    int generation;

    Page(int generation) {
      this.generation = generation;
    }
  }

  /// An earlier access that a new one conflicts with.
  ///
  /// @param offset of the byte
  /// @param stamp of the earlier access
  /// @param write whether that was a write
  record Conflict(int offset, long stamp, boolean write) {
    int block() {
      return RaceShadow.block(stamp);
    }

    int thread() {
      return (int) stamp & THREAD_MASK;
    }
  }

  static int block(long stamp) {
    return (int) (stamp >>> BLOCK_SHIFT) & (Warp.MAX_BLOCKS - 1);
  }

  /// Records a read of up to 16 aligned bytes; returns what it conflicts with, null for nothing.
  ///
  /// The bytes of a value mostly have the same stamps, so each distinct one is looked at once.
  Conflict read(int offset, int length, long stamp, int generation, BlockOrder order) {
    Page page = page(offset, generation);
    long[] writers = page.writers;
    long[] readers = page.readers;
    int start = offset & IN_PAGE;
    long orderedWriter = 0;
    long mergedReader = stamp;
    long merged = stamp;
    for (int i = start; i < start + length; i++) {
      long writer = writers[i];
      if (writer != orderedWriter) {
        if (writer != 0 && conflict(writer, stamp, order)) {
          return new Conflict(offset - start + i, writer, true);
        }
        orderedWriter = writer;
      }
      long reader = readers[i];
      if (reader != mergedReader) {
        merged = reader == 0 ? stamp : merge(reader, stamp);
        mergedReader = reader;
      }
      readers[i] = merged;
    }
    return null;
  }

  /// Records a write of up to 16 aligned bytes; returns what it conflicts with, null for nothing.
  Conflict write(int offset, int length, long stamp, int generation, BlockOrder order) {
    Page page = page(offset, generation);
    long[] writers = page.writers;
    long[] readers = page.readers;
    int start = offset & IN_PAGE;
    long orderedWriter = 0;
    long orderedReader = 0;
    for (int i = start; i < start + length; i++) {
      long writer = writers[i];
      if (writer != orderedWriter) {
        if (writer != 0 && conflict(writer, stamp, order)) {
          return new Conflict(offset - start + i, writer, true);
        }
        orderedWriter = writer;
      }
      long reader = readers[i];
      if (reader != orderedReader) {
        if (reader != 0 && conflict(reader, stamp, order)) {
          return new Conflict(offset - start + i, reader, false);
        }
        orderedReader = reader;
      }
      writers[i] = stamp;
    }
    return null;
  }

  /// Whether anything wrote one of these bytes in this generation.
  boolean written(int offset, int length, int generation) {
    Page page = pages[offset >> PAGE_SHIFT];
    if (page == null || page.generation != generation) {
      return false;
    }
    int start = offset & IN_PAGE;
    long stamps = 0;
    for (int i = start; i < start + length; i++) {
      stamps |= page.writers[i];
    }
    return stamps != 0;
  }

  private Page page(int offset, int generation) {
    Page page = pages[offset >> PAGE_SHIFT];
    if (page == null) {
      page = new Page(generation);
      pages[offset >> PAGE_SHIFT] = page;
    } else if (page.generation != generation) {
      page.generation = generation;
      Arrays.fill(page.writers, 0);
      Arrays.fill(page.readers, 0);
    }
    return page;
  }

  private static boolean conflict(long earlier, long now, BlockOrder order) {
    if ((earlier & now & ATOMIC) != 0) {
      return false;
    }
    long different = earlier ^ now;
    if (different >>> BLOCK_SHIFT != 0 || (earlier & MANY_BLOCKS) != 0) {
      return !order.ordered(block(earlier));
    }
    if (different >>> EPOCH_SHIFT != 0) {
      return false;
    }
    if ((different & THREAD_MASK) >>> 5 != 0 || (earlier & MANY_WARPS) != 0) {
      return true;
    }
    return order.strictWarps()
        && different >>> WARP_EPOCH_SHIFT == 0
        && ((different & THREAD_MASK) != 0 || (earlier & MANY_LANES) != 0);
  }

  /// The stamp for a byte read before and read again. It counts as atomic only if every read since
  /// the last barrier was.
  private static long merge(long earlier, long now) {
    long different = earlier ^ now;
    long plain = ~ATOMIC | earlier;
    if (different >>> BLOCK_SHIFT != 0) {
      return (now & plain) | MANY_BLOCKS;
    }
    long kept = earlier & MANY_BLOCKS;
    if (different >>> EPOCH_SHIFT != 0) {
      return now | kept;
    }
    kept |= earlier & MANY_WARPS;
    if ((different & THREAD_MASK) >>> 5 != 0) {
      return (now & plain) | kept | MANY_WARPS;
    }
    if (different >>> WARP_EPOCH_SHIFT != 0) {
      return (now & plain) | kept;
    }
    kept |= earlier & MANY_LANES;
    boolean sameLane = (different & THREAD_MASK) == 0;
    return (now & plain) | kept | (sameLane ? 0 : MANY_LANES);
  }
}
