package io.cusco.llama.cli.batch;

import io.cusco.llama.LlamaException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/// Which `custom_id`s an earlier run has answered, and which this run has met.
///
/// An id is kept as the first 126 bits of its SHA-256, in an open-addressed table at most three
/// quarters full: 21 to 43 bytes an id however long it is, 16 more for each while the table grows;
/// a million ids take 32 MB, ten million 268 MB. Two ids of a file of 2^40 lines share these bits
/// with a probability of 2^-47, and nobody can make two that do.
///
/// Owned by one thread.
final class CustomIds {
  /// What is known of an id.
  enum Status {
    /// Neither answered nor met.
    NEW,
    /// An earlier run has answered it; not met in this run before.
    ANSWERED,
    /// Met in this run before.
    REPEATED
  }

  /// The lowest bits of the second word; a word pair of zeros is a free slot, so one is always set.
  private static final long ANSWERED_BIT = 1;

  private static final long MET_BIT = 2;
  private static final long STATUS_BITS = ANSWERED_BIT | MET_BIT;

  /// Slots; two words each have to fit into one array.
  private static final int MAX_SLOTS = 1 << 29;

  private final MessageDigest digest;
  private long[] table;
  private int slots;
  private int size;
  private long first;
  private long second;

  CustomIds() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
    slots = 1 << 10;
    table = new long[2 * slots];
  }

  /// Notes that an earlier run has answered `customId`.
  void markAnswered(String customId) {
    hashId(customId);
    set(ANSWERED_BIT);
  }

  /// Notes that an earlier run has answered line `number` with an error, which has no id of its
  /// own.
  void markLineAnswered(long number) {
    hashLine(number);
    set(ANSWERED_BIT);
  }

  boolean isLineAnswered(long number) {
    hashLine(number);
    return (table[2 * slot() + 1] & ANSWERED_BIT) != 0;
  }

  /// Notes that this run has met `customId`.
  ///
  /// @return what was known of it before
  Status meet(String customId) {
    hashId(customId);
    long known = set(MET_BIT);
    if ((known & MET_BIT) != 0) {
      return Status.REPEATED;
    }
    return known == ANSWERED_BIT ? Status.ANSWERED : Status.NEW;
  }

  int size() {
    return size;
  }

  /// @return the status bits before
  private long set(long bit) {
    int at = 2 * slot();
    long known = table[at + 1] & STATUS_BITS;
    if (known == 0) {
      if (size >= slots / 4 * 3) {
        grow();
        at = 2 * slot();
      }
      size++;
      table[at] = first;
      table[at + 1] = second;
    }
    table[at + 1] |= bit;
    return known;
  }

  /// The slot that holds the current hash, or the free one where it belongs.
  private int slot() {
    int slot = (int) first & (slots - 1);
    while (true) {
      long low = table[2 * slot + 1];
      boolean free = (low & STATUS_BITS) == 0;
      if (free || (table[2 * slot] == first && (low & ~STATUS_BITS) == second)) {
        return slot;
      }
      slot = (slot + 1) & (slots - 1);
    }
  }

  private void grow() {
    if (slots == MAX_SLOTS) {
      throw new LlamaException(
          "%d custom_ids are more than one run can tell apart; split the input".formatted(size));
    }
    long[] old = table;
    long hashFirst = first;
    long hashSecond = second;
    slots *= 2;
    table = new long[2 * slots];
    for (int i = 0; i < old.length; i += 2) {
      if ((old[i + 1] & STATUS_BITS) != 0) {
        first = old[i];
        second = old[i + 1] & ~STATUS_BITS;
        int at = 2 * slot();
        table[at] = old[i];
        table[at + 1] = old[i + 1];
      }
    }
    first = hashFirst;
    second = hashSecond;
  }

  private void hashId(String customId) {
    digest.update((byte) 'i');
    hash(customId.getBytes(StandardCharsets.UTF_8));
  }

  private void hashLine(long number) {
    digest.update((byte) 'l');
    hash(ByteBuffer.allocate(Long.BYTES).putLong(number).array());
  }

  private void hash(byte[] bytes) {
    ByteBuffer hash = ByteBuffer.wrap(digest.digest(bytes));
    first = hash.getLong();
    second = hash.getLong() & ~STATUS_BITS;
  }
}
