package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Reads the fields of a SentencePiece model (`sentencepiece_model.proto`) that encoding needs:
///
/// ```
/// ModelProto      1 pieces*  { 1 piece: string, 2 score: float, 3 type: enum = NORMAL }
///                 2 trainer_spec { 3 model_type: enum = UNIGRAM, 24 treat_whitespace_as_suffix,
///                                  41 bos_id = 1, 42 eos_id = 2 }
///                 3 normalizer_spec { 2 precompiled_charsmap: bytes, 3 add_dummy_prefix = true,
///                                     4 remove_extra_whitespaces = true,
///                                     5 escape_whitespaces = true }
/// ```
final class SentencePieceReader {
  static final int PIECE_TAG = (1 << 3) | ProtobufReader.BYTES;

  private static final int MODEL_TYPE_UNIGRAM = 1;
  private static final int MODEL_TYPE_BPE = 2;

  private final String source;
  private final List<String> pieces = new ArrayList<>();
  private float[] scores = new float[1024];
  private int[] types = new int[1024];
  private int modelType = MODEL_TYPE_UNIGRAM;
  private boolean addDummyPrefix = true;
  private boolean removeExtraWhitespaces = true;
  private boolean escapeWhitespaces = true;
  private boolean whitespaceIsSuffix;
  private boolean hasCharacterMap;

  private SentencePieceReader(String source) {
    this.source = source;
  }

  /// A model's vocabulary as stored.
  record Model(
      String source, String[] pieces, float[] scores, int[] types, boolean addDummyPrefix) {

    SentencePieceTokenizer toTokenizer(TokenRoles roles) {
      return SentencePieceTokenizer.of(source, pieces, scores, types, addDummyPrefix, roles);
    }
  }

  static Model read(String source, byte[] content) {
    SentencePieceReader reader = new SentencePieceReader(source);
    ProtobufReader model = new ProtobufReader(source, content, 0, content.length);
    while (model.next()) {
      switch (model.field()) {
        case 1 -> reader.readPiece(model.message());
        case 2 -> reader.readTrainerSpec(model.message());
        case 3 -> reader.readNormalizerSpec(model.message());
        default -> model.skip();
      }
    }
    reader.refuseWhatIsNotLlama();
    int size = reader.pieces.size();
    return new Model(
        source,
        reader.pieces.toArray(String[]::new),
        Arrays.copyOf(reader.scores, size),
        Arrays.copyOf(reader.types, size),
        reader.addDummyPrefix);
  }

  private void readPiece(ProtobufReader piece) {
    int id = pieces.size();
    if (id == scores.length) {
      scores = Arrays.copyOf(scores, id * 2);
      types = Arrays.copyOf(types, id * 2);
    }
    String text = "";
    types[id] = TokenType.NORMAL.number();
    while (piece.next()) {
      switch (piece.field()) {
        case 1 -> text = utf8(id, piece.bytes());
        case 2 -> scores[id] = piece.float32();
        case 3 -> types[id] = piece.int32();
        default -> piece.skip();
      }
    }
    if (text.isEmpty()) {
      throw new CheckpointException(
          "%s: piece %d has no text; the tokenizer is damaged".formatted(source, id));
    }
    pieces.add(text);
  }

  private String utf8(int id, ByteBuffer bytes) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      throw new CheckpointException(
          "%s: piece %d is not UTF-8; the tokenizer is damaged".formatted(source, id), e);
    }
  }

  private void readTrainerSpec(ProtobufReader spec) {
    while (spec.next()) {
      switch (spec.field()) {
        case 3 -> modelType = spec.int32();
        case 24 -> whitespaceIsSuffix = spec.bool();
        default -> spec.skip();
      }
    }
  }

  private void readNormalizerSpec(ProtobufReader spec) {
    while (spec.next()) {
      switch (spec.field()) {
        case 2 -> hasCharacterMap = spec.bytes().hasRemaining();
        case 3 -> addDummyPrefix = spec.bool();
        case 4 -> removeExtraWhitespaces = spec.bool();
        case 5 -> escapeWhitespaces = spec.bool();
        default -> spec.skip();
      }
    }
  }

  private void refuseWhatIsNotLlama() {
    if (pieces.isEmpty()) {
      throw new CheckpointException(
          source + ": not a tokenizer: neither a SentencePiece model nor tiktoken ranks");
    }
    if (modelType != MODEL_TYPE_BPE) {
      throw new CheckpointException(
          "%s: SentencePiece model type %d; only BPE (%d), which every Llama uses, is supported"
              .formatted(source, modelType, MODEL_TYPE_BPE));
    }
    String unsupported =
        removeExtraWhitespaces
            ? "remove_extra_whitespaces = true"
            : hasCharacterMap
                ? "a precompiled_charsmap"
                : !escapeWhitespaces
                    ? "escape_whitespaces = false"
                    : whitespaceIsSuffix ? "treat_whitespace_as_suffix = true" : "";
    if (!unsupported.isEmpty()) {
      throw new CheckpointException(
          "%s: the tokenizer has %s, which no Llama has and which is not supported"
              .formatted(source, unsupported));
    }
  }
}
