package io.cusco.llama.checkpoint;

import io.cusco.llama.tokenizer.Utf8Strings;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/// The typed key-value pairs of a GGUF header. Values stay in the mapped file and are decoded when
/// asked for, so a vocabulary of 128,256 strings costs nothing until the tokenizer is wanted.
///
/// Getters check the stored type: any integer type answers for an integer that fits, any float type
/// for a float. Valid until the owning checkpoint is closed; safe for use by several threads.
///
/// Source: GGUF specification, "File Structure", `gguf_metadata_value_type`.
public final class GgufMetadata {

  /// Types of values, with their numbers in the file and their bytes; 0 where that varies.
  public enum ValueType {
    UINT8(0, 1),
    INT8(1, 1),
    UINT16(2, 2),
    INT16(3, 2),
    UINT32(4, 4),
    INT32(5, 4),
    FLOAT32(6, 4),
    BOOL(7, 1),
    STRING(8, 0),
    ARRAY(9, 0),
    UINT64(10, 8),
    INT64(11, 8),
    FLOAT64(12, 8);

    private final int id;
    private final int numBytes;

    ValueType(int id, int numBytes) {
      this.id = id;
      this.numBytes = numBytes;
    }

    static Optional<ValueType> ofId(long id) {
      for (ValueType type : values()) {
        if (type.id == id) {
          return Optional.of(type);
        }
      }
      return Optional.empty();
    }

    int id() {
      return id;
    }

    boolean isInteger() {
      return switch (this) {
        case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> true;
        case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> false;
      };
    }

    boolean isFloat() {
      return this == FLOAT32 || this == FLOAT64;
    }
  }

  /// Where a value lies. For an array, `type` is that of its elements, `offset` its first one's and
  /// `numBytes` that of all.
  private record Entry(ValueType type, boolean isArray, int count, long offset, long numBytes) {
    String describe() {
      return isArray ? "an array of " + type : type.toString();
    }
  }

  private final String file;
  private final MemorySegment bytes;
  private final Map<String, Entry> entries = new LinkedHashMap<>();

  /// Reads `count` pairs and leaves `cursor` behind them.
  GgufMetadata(String file, MemorySegment bytes, ByteCursor cursor, long count) {
    this.file = file;
    this.bytes = bytes;
    for (long i = 0; i < count; i++) {
      String key = cursor.string("metadata key " + i);
      Entry entry = readEntry(cursor, key);
      if (entries.put(key, entry) != null) {
        throw new CheckpointException(
            "%s: duplicate metadata key %s; the file is damaged".formatted(file, key));
      }
    }
  }

  /// All keys, in file order.
  public Set<String> keys() {
    return Collections.unmodifiableSet(entries.keySet());
  }

  public boolean contains(String key) {
    return entries.containsKey(key);
  }

  /// @throws CheckpointException if the key is missing or no integer that fits an `int`
  public int requireInt(String key) {
    return intOf(key, require(key));
  }

  /// @throws CheckpointException if the value is no integer that fits an `int`
  public OptionalInt findInt(String key) {
    Entry entry = entries.get(key);
    return entry == null ? OptionalInt.empty() : OptionalInt.of(intOf(key, entry));
  }

  /// @throws CheckpointException if the key is missing or no float
  public double requireFloat(String key) {
    return floatOf(key, require(key));
  }

  /// @throws CheckpointException if the value is no float
  public Optional<Double> findFloat(String key) {
    return Optional.ofNullable(entries.get(key)).map(entry -> floatOf(key, entry));
  }

  /// @throws CheckpointException if the key is missing or no string
  public String requireString(String key) {
    return stringOf(key, require(key));
  }

  /// @throws CheckpointException if the value is no string
  public Optional<String> findString(String key) {
    return Optional.ofNullable(entries.get(key)).map(entry -> stringOf(key, entry));
  }

  /// @throws CheckpointException if the value is no boolean
  public Optional<Boolean> findBoolean(String key) {
    Entry entry = entries.get(key);
    if (entry == null) {
      return Optional.empty();
    }
    check(key, entry, !entry.isArray && entry.type == ValueType.BOOL, "a boolean");
    return Optional.of(cursorAt(entry).unsignedByte(key) != 0);
  }

  public boolean isArray(String key) {
    return contains(key) && entries.get(key).isArray;
  }

  /// Number of elements of an array, without decoding them.
  ///
  /// @throws CheckpointException if the key is missing or no array
  public int arrayLength(String key) {
    Entry entry = require(key);
    check(key, entry, entry.isArray, "an array");
    return entry.count;
  }

  /// @throws CheckpointException if the key is missing or no array of strings
  public String[] strings(String key) {
    Entry entry = require(key);
    check(key, entry, entry.isArray && entry.type == ValueType.STRING, "an array of strings");
    ByteCursor cursor = cursorAt(entry);
    String[] values = new String[entry.count];
    for (int i = 0; i < values.length; i++) {
      values[i] = cursor.string(key);
    }
    return values;
  }

  /// As [#strings], without an object for each.
  ///
  /// @throws CheckpointException if the key is missing, no array of strings, or more than 2 GB
  public Utf8Strings utf8Strings(String key) {
    Entry entry = require(key);
    check(key, entry, entry.isArray && entry.type == ValueType.STRING, "an array of strings");
    if (entry.numBytes > Integer.MAX_VALUE) {
      throw new CheckpointException(
          "%s: metadata key %s has %d bytes of strings; at most %d can be read"
              .formatted(file, key, entry.numBytes, Integer.MAX_VALUE));
    }
    byte[] region = cursorAt(entry).bytes((int) entry.numBytes, key);
    int[] starts = new int[entry.count];
    int[] ends = new int[entry.count];
    int at = 0;
    for (int i = 0; i < starts.length; i++) {
      // Lengths were checked when the header was read: the upper half is zero.
      starts[i] = at + Long.BYTES;
      at = starts[i] + ByteCursor.int32(region, at);
      ends[i] = at;
    }
    return new Utf8Strings(region, starts, ends);
  }

  /// @throws CheckpointException if the key is missing or no array of floats
  public float[] floats(String key) {
    Entry entry = require(key);
    check(key, entry, entry.isArray && entry.type.isFloat(), "an array of floats");
    ByteCursor cursor = cursorAt(entry);
    float[] values = new float[entry.count];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) readFloat(cursor, entry.type, key);
    }
    return values;
  }

  /// @throws CheckpointException if the key is missing or no array of integers that fit an `int`
  public int[] ints(String key) {
    Entry entry = require(key);
    check(key, entry, entry.isArray && entry.type.isInteger(), "an array of integers");
    ByteCursor cursor = cursorAt(entry);
    int[] values = new int[entry.count];
    for (int i = 0; i < values.length; i++) {
      values[i] = readInt(cursor, entry.type, key);
    }
    return values;
  }

  private Entry readEntry(ByteCursor cursor, String key) {
    String what = "metadata key " + key;
    ValueType type = readType(cursor, what);
    if (type != ValueType.ARRAY) {
      long start = cursor.position();
      skipValues(cursor, type, 1, what);
      return new Entry(type, false, 1, start, cursor.position() - start);
    }
    ValueType elementType = readType(cursor, what);
    long count = cursor.int64(what);
    int leastBytes = elementType == ValueType.STRING ? Long.BYTES : elementType.numBytes;
    if (elementType == ValueType.ARRAY) {
      throw new CheckpointException(
          "%s: %s: arrays of arrays are not supported".formatted(file, what));
    }
    if (count < 0 || count > Integer.MAX_VALUE || count > cursor.remaining() / leastBytes) {
      throw new CheckpointException(
          "%s: truncated: %s: array length %s, but only %d bytes are left before the end of file"
              .formatted(file, what, Long.toUnsignedString(count), cursor.remaining()));
    }
    long start = cursor.position();
    skipValues(cursor, elementType, (int) count, what);
    return new Entry(elementType, true, (int) count, start, cursor.position() - start);
  }

  private ValueType readType(ByteCursor cursor, String what) {
    long id = cursor.unsignedInt(what);
    return ValueType.ofId(id)
        .orElseThrow(() ->
            new CheckpointException("%s: %s: unknown value type %d".formatted(file, what, id)));
  }

  private static void skipValues(ByteCursor cursor, ValueType type, int count, String what) {
    if (type != ValueType.STRING) {
      cursor.skip((long) count * type.numBytes, what);
      return;
    }
    for (int i = 0; i < count; i++) {
      cursor.skipString(what);
    }
  }

  private Entry require(String key) {
    Entry entry = entries.get(key);
    if (entry == null) {
      throw new CheckpointException("%s: metadata key %s is missing".formatted(file, key));
    }
    return entry;
  }

  private int intOf(String key, Entry entry) {
    check(key, entry, !entry.isArray && entry.type.isInteger(), "an integer");
    return readInt(cursorAt(entry), entry.type, key);
  }

  private double floatOf(String key, Entry entry) {
    check(key, entry, !entry.isArray && entry.type.isFloat(), "a float");
    return readFloat(cursorAt(entry), entry.type, key);
  }

  private String stringOf(String key, Entry entry) {
    check(key, entry, !entry.isArray && entry.type == ValueType.STRING, "a string");
    return cursorAt(entry).string(key);
  }

  private int readInt(ByteCursor cursor, ValueType type, String key) {
    long value =
        switch (type) {
          case UINT8 -> cursor.unsignedByte(key);
          case INT8 -> (byte) cursor.unsignedByte(key);
          case UINT16 -> cursor.unsignedShort(key);
          case INT16 -> (short) cursor.unsignedShort(key);
          case UINT32 -> cursor.unsignedInt(key);
          case INT32 -> cursor.int32(key);
          case UINT64, INT64 -> cursor.int64(key);
          case FLOAT32, FLOAT64, BOOL, STRING, ARRAY ->
              throw new IllegalArgumentException(key + " is no integer");
        };
    if (value != (int) value) {
      throw new CheckpointException(
          "%s: metadata key %s: %s does not fit 31 bits"
              .formatted(
                  file,
                  key,
                  type == ValueType.UINT64 ? Long.toUnsignedString(value) : Long.toString(value)));
    }
    return (int) value;
  }

  private static double readFloat(ByteCursor cursor, ValueType type, String key) {
    return type == ValueType.FLOAT32
        ? Float.intBitsToFloat(cursor.int32(key))
        : Double.longBitsToDouble(cursor.int64(key));
  }

  private void check(String key, Entry entry, boolean isRight, String expected) {
    if (!isRight) {
      throw new CheckpointException(
          "%s: metadata key %s has the wrong type: expected %s, found %s"
              .formatted(file, key, expected, entry.describe()));
    }
  }

  private ByteCursor cursorAt(Entry entry) {
    return new ByteCursor(file, bytes, entry.offset);
  }
}
