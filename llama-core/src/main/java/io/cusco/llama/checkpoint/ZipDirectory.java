package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/// The entries of a mapped zip file, each as a view of its bytes. Only stored entries are read, so
/// nothing here can inflate; PyTorch never compresses.
///
/// Source: PKWARE APPNOTE 6.3, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 to
/// 4.3.16 (zip64 and plain end records), 4.5.3 (zip64 extra field).
final class ZipDirectory {
  private static final int END = 0x06054b50;
  private static final int END_BYTES = 22;
  private static final int ZIP64_LOCATOR = 0x07064b50;
  private static final int ZIP64_LOCATOR_BYTES = 20;
  private static final int ZIP64_END = 0x06064b50;
  private static final int CENTRAL = 0x02014b50;
  private static final int CENTRAL_BYTES = 46;
  private static final int LOCAL = 0x04034b50;
  private static final int ZIP64_EXTRA = 1;
  private static final int MAX_COMMENT_BYTES = 0xFFFF;
  private static final long IN_ZIP64_EXTRA = 0xFFFF_FFFFL; // the 32-bit field's value is elsewhere

  private final String file;
  private final MemorySegment bytes;
  private final Map<String, MemorySegment> entries = new LinkedHashMap<>();

  /// @throws CheckpointException if the file is no zip, is damaged, or holds compressed entries
  ZipDirectory(String file, MemorySegment bytes) {
    this.file = file;
    this.bytes = bytes;
    ByteCursor end = at(findEnd());
    end.skip(10, "the end record");
    long count = end.unsignedShort("the end record");
    end.skip(4, "the end record");
    long offset = end.unsignedInt("the end record");
    long locatorAt = end.position() - 20 - ZIP64_LOCATOR_BYTES;
    if (locatorAt >= 0 && at(locatorAt).int32("the zip64 locator") == ZIP64_LOCATOR) {
      ByteCursor locator = at(locatorAt);
      locator.skip(8, "the zip64 locator");
      ByteCursor zip64 = at(locator.int64("the zip64 locator"));
      requireSignature(zip64, ZIP64_END, "the zip64 end record");
      zip64.skip(28, "the zip64 end record");
      count = zip64.int64("the zip64 end record");
      zip64.skip(8, "the zip64 end record");
      offset = zip64.int64("the zip64 end record");
    }
    if (count < 0 || count > bytes.byteSize() / CENTRAL_BYTES) {
      throw new CheckpointException(
          "%s: the zip directory claims %s entries in %d bytes; the file is damaged"
              .formatted(file, Long.toUnsignedString(count), bytes.byteSize()));
    }
    ByteCursor cursor = at(offset);
    for (long i = 0; i < count; i++) {
      readEntry(cursor);
    }
  }

  Optional<MemorySegment> find(String name) {
    return Optional.ofNullable(entries.get(name));
  }

  Iterable<String> names() {
    return entries.keySet();
  }

  /// The end record is the last thing in the file but for a comment.
  private long findEnd() {
    long last = bytes.byteSize() - END_BYTES;
    for (long at = last; at >= Math.max(0, last - MAX_COMMENT_BYTES); at--) {
      if (bytes.get(BlockFormats.INT, at) == END) {
        return at;
      }
    }
    throw new CheckpointException(
        "%s: not a zip file, or truncated: it has no directory; PyTorch files older than 1.6 must be"
                .formatted(file)
            + " saved again with a current PyTorch");
  }

  private void readEntry(ByteCursor cursor) {
    String what = "the zip directory";
    requireSignature(cursor, CENTRAL, what);
    cursor.skip(4, what);
    int flags = cursor.unsignedShort(what);
    int method = cursor.unsignedShort(what);
    cursor.skip(8, what);
    long compressedSize = cursor.unsignedInt(what);
    long size = cursor.unsignedInt(what);
    int nameLength = cursor.unsignedShort(what);
    int extraLength = cursor.unsignedShort(what);
    int commentLength = cursor.unsignedShort(what);
    cursor.skip(8, what);
    long localOffset = cursor.unsignedInt(what);
    String name = new String(cursor.bytes(nameLength, what), StandardCharsets.UTF_8);
    long extraEnd = cursor.position() + extraLength;
    if (size == IN_ZIP64_EXTRA
        || compressedSize == IN_ZIP64_EXTRA
        || localOffset == IN_ZIP64_EXTRA) {
      seekZip64Extra(cursor, extraEnd, name);
      size = size == IN_ZIP64_EXTRA ? cursor.int64(what) : size;
      compressedSize = compressedSize == IN_ZIP64_EXTRA ? cursor.int64(what) : compressedSize;
      localOffset = localOffset == IN_ZIP64_EXTRA ? cursor.int64(what) : localOffset;
    }
    cursor.skip(extraEnd - cursor.position() + commentLength, what);
    if (method != 0 || compressedSize != size || (flags & 1) != 0) {
      throw new CheckpointException(
          "%s: zip entry %s is compressed or encrypted; PyTorch stores entries plain"
              .formatted(file, name));
    }
    if (entries.put(name, content(name, localOffset, size)) != null) {
      throw new CheckpointException("%s: duplicate zip entry %s".formatted(file, name));
    }
  }

  private void seekZip64Extra(ByteCursor cursor, long extraEnd, String name) {
    while (cursor.position() + 4 <= extraEnd) {
      int id = cursor.unsignedShort("a zip extra field");
      int length = cursor.unsignedShort("a zip extra field");
      if (id == ZIP64_EXTRA) {
        return;
      }
      cursor.skip(length, "a zip extra field");
    }
    throw new CheckpointException(
        "%s: zip entry %s lacks its zip64 sizes; the file is damaged".formatted(file, name));
  }

  private MemorySegment content(String name, long localOffset, long size) {
    String what = "zip entry " + name;
    ByteCursor local = at(localOffset);
    requireSignature(local, LOCAL, what);
    local.skip(22, what);
    int nameLength = local.unsignedShort(what);
    int extraLength = local.unsignedShort(what);
    local.skip(nameLength + extraLength, what);
    long start = local.position();
    local.skip(size, what);
    return bytes.asSlice(start, size);
  }

  private ByteCursor at(long offset) {
    if (offset < 0 || offset > bytes.byteSize()) {
      throw new CheckpointException(
          "%s: truncated: the zip directory points to offset %s, the file ends at %d"
              .formatted(file, Long.toUnsignedString(offset), bytes.byteSize()));
    }
    return new ByteCursor(file, bytes, offset);
  }

  private void requireSignature(ByteCursor cursor, int signature, String what) {
    int found = cursor.int32(what);
    if (found != signature) {
      throw new CheckpointException(
          "%s: damaged zip: %s has signature 0x%08x, expected 0x%08x"
              .formatted(file, what, found, signature));
    }
  }
}
