package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Walks over the fields of one protobuf message inside a byte array (protobuf.dev, "Encoding").
/// Every length is checked against the message it lies in.
///
/// Call [#next()], look at [#field()], then read or [#skip()] the value.
final class ProtobufReader {
  /// Wire type of strings, bytes and nested messages.
  static final int BYTES = 2;

  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int FIXED32 = 5;

  private final String source;
  private final byte[] content;
  private final int end;
  private int at;
  private int field;
  private int wireType;

  ProtobufReader(String source, byte[] content, int from, int end) {
    this.source = source;
    this.content = content;
    this.at = from;
    this.end = end;
  }

  /// Goes to the next field; false at the end of the message.
  boolean next() {
    if (at == end) {
      return false;
    }
    long tag = varint();
    field = (int) (tag >>> 3);
    wireType = (int) tag & 7;
    if (tag >>> 32 != 0 || field == 0) {
      throw damaged("field tag " + tag);
    }
    return true;
  }

  int field() {
    return field;
  }

  void skip() {
    switch (wireType) {
      case VARINT -> varint();
      case FIXED64 -> take(8);
      case BYTES -> take(length());
      case FIXED32 -> take(4);
      default -> throw damaged("field %d has wire type %d".formatted(field, wireType));
    }
  }

  int int32() {
    require(VARINT);
    return (int) varint();
  }

  boolean bool() {
    require(VARINT);
    return varint() != 0;
  }

  float float32() {
    require(FIXED32);
    return ByteBuffer.wrap(content, take(4), 4).order(ByteOrder.LITTLE_ENDIAN).getFloat();
  }

  ByteBuffer bytes() {
    require(BYTES);
    int length = length();
    return ByteBuffer.wrap(content, take(length), length);
  }

  ProtobufReader message() {
    require(BYTES);
    int length = length();
    int from = take(length);
    return new ProtobufReader(source, content, from, from + length);
  }

  private int length() {
    long length = varint();
    if (length < 0 || length > end - at) {
      throw truncated(length);
    }
    return (int) length;
  }

  /// The place of the next `length` bytes, which are passed over.
  private int take(int length) {
    if (length > end - at) {
      throw truncated(length);
    }
    int from = at;
    at += length;
    return from;
  }

  private long varint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      byte b = content[take(1)];
      value |= (long) (b & 0x7F) << shift;
      if (b >= 0) {
        return value;
      }
    }
    throw damaged("a number of more than 64 bits");
  }

  private void require(int expected) {
    if (wireType != expected) {
      throw damaged("field %d has wire type %d instead of %d".formatted(field, wireType, expected));
    }
  }

  private CheckpointException truncated(long wanted) {
    return new CheckpointException(
        "%s: the tokenizer is truncated: byte %d announces %d more bytes, but %d follow; fetch it again"
            .formatted(source, at, wanted, end - at));
  }

  private CheckpointException damaged(String fault) {
    return new CheckpointException(
        "%s: not a SentencePiece tokenizer, or a damaged one: %s at byte %d"
            .formatted(source, fault, at));
  }
}
