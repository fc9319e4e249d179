package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.tokenizer.Tokenizer;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What all formats share: the facts found when the headers were read, weights and tokenizer made
/// on first use and kept, and one arena that ends it all.
abstract sealed class MappedCheckpoint implements Checkpoint
    permits GgufCheckpoint, HuggingFaceCheckpoint, MetaCheckpoint, SyntheticCheckpoint {
  private static final Logger LOG = LoggerFactory.getLogger(MappedCheckpoint.class);

  /// What the headers say.
  record Header(
      String source,
      String format,
      String modelName,
      LlamaConfig config,
      OptionalInt bosTokenId,
      List<Integer> eosTokenIds) {

    Header {
      int vocabSize = config.vocabSize();
      bosTokenId = bosTokenId.stream().filter(id -> isInside(source, id, vocabSize)).findAny();
      eosTokenIds =
          eosTokenIds.stream().distinct().filter(id -> isInside(source, id, vocabSize)).toList();
    }

    private static boolean isInside(String source, int id, int vocabSize) {
      if (id >= 0 && id < vocabSize) {
        return true;
      }
      LOG.warn("{}: ignoring special token id {}: the vocabulary has {}", source, id, vocabSize);
      return false;
    }
  }

  private final Header header;
  private final WeightAssembler assembler;
  private final Arena arena;
  private TensorTable tensors;
  private LlamaWeights weights;
  private Tokenizer tokenizer;
  private boolean closed;

  MappedCheckpoint(Header header, WeightAssembler assembler, Arena arena) {
    this.header = header;
    this.assembler = assembler;
    this.arena = arena;
  }

  /// Finds the tensors; called at most once.
  abstract TensorTable readTensors();

  /// Reads the tokenizer; called until it succeeds.
  abstract Tokenizer readTokenizer();

  abstract Optional<String> readChatTemplate();

  @Override
  public final String source() {
    return header.source;
  }

  @Override
  public final String format() {
    return header.format;
  }

  @Override
  public final String modelName() {
    return header.modelName;
  }

  @Override
  public final LlamaConfig config() {
    requireOpen();
    return header.config;
  }

  @Override
  public final synchronized LlamaWeights weights() {
    requireOpen();
    if (weights == null) {
      weights = assembler.assemble(table());
    }
    return weights;
  }

  @Override
  public final synchronized List<TensorView> tensors() {
    requireOpen();
    return table().views();
  }

  private TensorTable table() {
    if (tensors == null) {
      tensors = readTensors();
    }
    return tensors;
  }

  @Override
  public final synchronized Tokenizer tokenizer() {
    requireOpen();
    if (tokenizer == null) {
      tokenizer = readTokenizer();
    }
    return tokenizer;
  }

  @Override
  public final synchronized Optional<String> chatTemplate() {
    requireOpen();
    return readChatTemplate();
  }

  @Override
  public final OptionalInt bosTokenId() {
    requireOpen();
    return header.bosTokenId;
  }

  @Override
  public final List<Integer> eosTokenIds() {
    requireOpen();
    return header.eosTokenIds;
  }

  @Override
  public final synchronized void close() {
    if (!closed) {
      closed = true;
      arena.close();
    }
  }

  final synchronized void requireOpen() {
    if (closed) {
      throw new IllegalStateException("checkpoint " + header.source + " is closed");
    }
  }
}
