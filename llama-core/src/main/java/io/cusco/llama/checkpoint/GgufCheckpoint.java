package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.memory.NativeMemory;
import io.cusco.llama.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// A model in a GGUF file, version 2 or 3, or in several that were split by llama.cpp's
/// `gguf-split`. Tensors are views into the mapping, of any [DType], mixed.
public final class GgufCheckpoint extends MappedCheckpoint {
  static final String TOKENS = "tokenizer.ggml.tokens";

  private static final Pattern SPLIT_NAME = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");

  private final TensorTable tensors;
  private final GgufMetadata metadata;

  private GgufCheckpoint(
      Header header,
      WeightAssembler assembler,
      TensorTable tensors,
      Arena arena,
      GgufMetadata metadata) {
    super(header, assembler, arena);
    this.tensors = tensors;
    this.metadata = metadata;
  }

  /// Opens and maps a `.gguf` file. For a split model, give the first part; the others must lie
  /// beside it.
  ///
  /// @throws CheckpointException if it cannot be read, is damaged, or is not a Llama
  public static GgufCheckpoint open(Path file) {
    Arena arena = Arena.ofShared();
    try {
      MemorySegment bytes = map(file, arena);
      TensorTable tensors = new TensorTable();
      GgufFile first = GgufFile.read(file.toString(), bytes, tensors);
      readFurtherParts(file, first.metadata(), tensors, arena);
      return of(first, tensors, arena);
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  /// Opens a GGUF file that is in memory already, for example a bundled resource.
  ///
  /// @param source what to call it in messages
  /// @param bytes the whole file, off-heap
  /// @param arena what `bytes` live in; closed with the checkpoint, or at once if opening fails
  /// @throws CheckpointException if it is damaged or is not a Llama
  public static GgufCheckpoint of(String source, MemorySegment bytes, Arena arena) {
    try {
      TensorTable tensors = new TensorTable();
      GgufFile file = GgufFile.read(source, bytes, tensors);
      int parts = file.metadata().findInt("split.count").orElse(1);
      if (parts > 1) {
        throw new CheckpointException(
            "%s: part of a model split into %d files; open it by its path, or join the parts"
                .formatted(source, parts));
      }
      return of(file, tensors, arena);
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  private static GgufCheckpoint of(GgufFile file, TensorTable tensors, Arena arena) {
    String source = file.file();
    GgufMetadata metadata = file.metadata();
    LlamaConfig config = GgufConfig.read(file, tensors);
    Header header =
        new Header(
            source,
            "GGUF v" + file.version(),
            metadata.findString("general.name").orElseGet(() -> fileName(source)),
            config,
            metadata.findInt("tokenizer.ggml.bos_token_id"),
            endTokenIds(metadata));
    WeightAssembler assembler =
        new WeightAssembler(source, config, TensorNames.GGUF, WeightAssembler.RequiredBiases.NONE);
    return new GgufCheckpoint(header, assembler, tensors, arena, metadata);
  }

  /// The header's key-value pairs, all of them.
  public GgufMetadata metadata() {
    requireOpen();
    return metadata;
  }

  @Override
  TensorTable readTensors() {
    return tensors;
  }

  @Override
  Tokenizer readTokenizer() {
    return CheckpointTokenizers.ofGguf(source(), metadata);
  }

  @Override
  Optional<String> readChatTemplate() {
    return metadata.findString("tokenizer.chat_template");
  }

  /// Tokens that end a text, a turn, or a message.
  static List<Integer> endTokenIds(GgufMetadata metadata) {
    return Stream.of("eos", "eot", "eom")
        .map(kind -> metadata.findInt("tokenizer.ggml." + kind + "_token_id"))
        .flatMap(id -> id.stream().boxed())
        .distinct()
        .toList();
  }

  /// The tokenizer of a file that may hold nothing else.
  static Tokenizer openTokenizer(Path file) {
    try (Arena arena = Arena.ofShared()) {
      GgufFile header = GgufFile.read(file.toString(), map(file, arena), new TensorTable());
      return CheckpointTokenizers.ofGguf(file.toString(), header.metadata());
    }
  }

  private static void readFurtherParts(
      Path file, GgufMetadata metadata, TensorTable tensors, Arena arena) {
    int parts = metadata.findInt("split.count").orElse(1);
    if (parts <= 1) {
      return;
    }
    Matcher name = SPLIT_NAME.matcher(fileName(file.toString()));
    if (!name.matches() || Integer.parseInt(name.group(3)) != parts) {
      throw new CheckpointException(
          "%s: part of a model split into %d files, but not named like NAME-00001-of-%05d.gguf"
              .formatted(file, parts, parts));
    }
    if (metadata.findInt("split.no").orElse(0) != 0) {
      throw new CheckpointException(
          "%s: not the first part of a split model; open %s-00001-of-%05d.gguf"
              .formatted(file, name.group(1), parts));
    }
    for (int part = 2; part <= parts; part++) {
      Path next = file.resolveSibling("%s-%05d-of-%05d.gguf".formatted(name.group(1), part, parts));
      GgufFile.read(next.toString(), map(next, arena), tensors);
    }
    int expected = metadata.findInt("split.tensors.count").orElse(tensors.views().size());
    if (tensors.views().size() != expected) {
      throw new CheckpointException(
          "%s: the %d parts hold %d tensors, split.tensors.count is %d"
              .formatted(file, parts, tensors.views().size(), expected));
    }
  }

  static MemorySegment map(Path file, Arena arena) {
    try {
      return NativeMemory.map(file, arena);
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(file, e), e);
    }
  }

  private static String fileName(String source) {
    return source.substring(Math.max(source.lastIndexOf('/'), source.lastIndexOf('\\')) + 1);
  }
}
