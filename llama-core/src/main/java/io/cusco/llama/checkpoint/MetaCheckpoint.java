package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Stream;

/// A model as Meta publishes it: a folder with `params.json`, `consolidated.00.pth` and further
/// model-parallel shards, and `tokenizer.model`. Weights of a single shard are views into the
/// mapping; several shards are joined in memory when the weights are first asked for.
public final class MetaCheckpoint extends MappedCheckpoint {
  static final String PARAMS = "params.json";
  private static final String SHARD = "consolidated.%02d.pth";

  private final Path folder;
  private final MetaShardJoiner joiner;
  private final Arena arena;

  private MetaCheckpoint(
      Path folder, Header header, WeightAssembler assembler, MetaShardJoiner joiner, Arena arena) {
    super(header, assembler, arena);
    this.folder = folder;
    this.joiner = joiner;
    this.arena = arena;
  }

  /// Opens a folder and maps its shards.
  ///
  /// @throws CheckpointException if a file is missing or damaged, or the model is not a Llama
  public static MetaCheckpoint open(Path folder) {
    Path paramsFile = folder.resolve(PARAMS);
    if (!Files.exists(paramsFile)) {
      throw new CheckpointException(
          "%s: %s is missing; fetch the whole model folder".formatted(folder, PARAMS));
    }
    JsonObject json = JsonObject.read(paramsFile);
    JsonObject params = json.findObject("model").orElse(json); // some releases wrap it
    String source = folder.toString();
    Arena arena = Arena.ofShared();
    try {
      List<TensorTable> shards = new ArrayList<>();
      for (Path file : shardFiles(folder)) {
        shards.add(MetaShard.read(file.toString(), GgufCheckpoint.map(file, arena)));
      }
      MetaShardJoiner joiner = new MetaShardJoiner(source, shards, params.requireInt("dim"));
      LlamaConfig config = config(paramsFile.toString(), params, shards, joiner);
      Header header =
          new Header(
              source,
              "Meta .pth (%d shard%s)".formatted(shards.size(), shards.size() == 1 ? "" : "s"),
              HuggingFaceCheckpoint.folderName(folder),
              config,
              OptionalInt.empty(),
              List.of());
      WeightAssembler assembler =
          new WeightAssembler(
              source, config, TensorNames.META, WeightAssembler.RequiredBiases.NONE);
      return new MetaCheckpoint(folder, header, assembler, joiner, arena);
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  private static LlamaConfig config(
      String file, JsonObject params, List<TensorTable> shards, MetaShardJoiner joiner) {
    TensorNames names = TensorNames.META;
    String gate = names.layerPrefix().formatted(0) + names.gateProj() + TensorNames.WEIGHT;
    boolean tied = shards.getFirst().find(names.lmHead() + TensorNames.WEIGHT).isEmpty();
    return MetaConfig.read(
        file,
        params,
        rows(joiner, names.embedTokens() + TensorNames.WEIGHT),
        rows(joiner, gate),
        tied);
  }

  private static int rows(MetaShardJoiner joiner, String name) {
    long rows = joiner.shape(name)[0];
    if (rows > Integer.MAX_VALUE) {
      throw new CheckpointException("tensor %s has %d rows".formatted(name, rows));
    }
    return (int) rows;
  }

  private static List<Path> shardFiles(Path folder) {
    long present;
    try (Stream<Path> files = Files.list(folder)) {
      present =
          files
              .filter(file -> file.getFileName().toString().matches("consolidated\\.\\d\\d\\.pth"))
              .count();
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(folder, e), e);
    }
    if (present == 0) {
      throw new CheckpointException(
          "%s: no weights found: %s is missing".formatted(folder, SHARD.formatted(0)));
    }
    List<Path> files = new ArrayList<>();
    for (int shard = 0; shard < present; shard++) {
      Path file = folder.resolve(SHARD.formatted(shard));
      if (!Files.isRegularFile(file)) {
        throw new CheckpointException(
            "%s: shard %s is missing among %d; fetch it"
                .formatted(folder, file.getFileName(), present));
      }
      files.add(file);
    }
    return files;
  }

  @Override
  TensorTable readTensors() {
    return joiner.join(arena);
  }

  @Override
  Tokenizer readTokenizer() {
    return CheckpointTokenizers.ofFolder(folder, config().vocabSize());
  }

  @Override
  Optional<String> readChatTemplate() {
    return Optional.empty();
  }
}
