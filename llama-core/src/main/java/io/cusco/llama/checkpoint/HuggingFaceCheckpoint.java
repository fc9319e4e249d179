package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeSet;

/// A model in a Hugging Face folder: `config.json` with `model.safetensors`, or with
/// `model.safetensors.index.json` and the shards that it names. Weights are F32, F16 or BF16 views
/// into the mappings.
public final class HuggingFaceCheckpoint extends MappedCheckpoint {
  static final String CONFIG = "config.json";
  static final String SINGLE_FILE = "model.safetensors";
  static final String INDEX = "model.safetensors.index.json";
  private static final String GENERATION_CONFIG = "generation_config.json";
  static final String TOKENIZER_CONFIG = "tokenizer_config.json";
  private static final String CHAT_TEMPLATE = "chat_template.jinja";

  /// The longest published chat templates have some 20 kB.
  private static final int MAX_TEMPLATE_BYTES = 4 << 20;

  private final Path folder;
  private final TensorTable tensors;

  private HuggingFaceCheckpoint(
      Path folder, Header header, WeightAssembler assembler, TensorTable tensors, Arena arena) {
    super(header, assembler, arena);
    this.folder = folder;
    this.tensors = tensors;
  }

  /// Opens a folder and maps its weights.
  ///
  /// @throws CheckpointException if a file is missing or damaged, or the model is not a Llama
  public static HuggingFaceCheckpoint open(Path folder) {
    Path configFile = folder.resolve(CONFIG);
    if (!Files.exists(configFile)) {
      throw new CheckpointException(
          "%s: %s is missing; fetch the whole model folder".formatted(folder, CONFIG));
    }
    JsonObject json = JsonObject.read(configFile);
    LlamaConfig config = HuggingFaceConfig.read(configFile.toString(), json);
    Arena arena = Arena.ofShared();
    try {
      TensorTable tensors = new TensorTable();
      List<Path> files = weightFiles(folder);
      for (Path file : files) {
        SafetensorsFile.read(file.toString(), MappedCheckpoint.map(file, arena), tensors);
      }
      String source = folder.toString();
      Header header =
          new Header(
              source,
              "Hugging Face safetensors (%d file%s)"
                  .formatted(files.size(), files.size() == 1 ? "" : "s"),
              modelName(folder, json),
              config,
              bosTokenId(folder, json),
              eosTokenIds(folder, json));
      WeightAssembler assembler =
          new WeightAssembler(
              source, config, names(tensors), HuggingFaceConfig.requiredBiases(json));
      return new HuggingFaceCheckpoint(folder, header, assembler, tensors, arena);
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  private static TensorNames names(TensorTable tensors) {
    TensorNames base = TensorNames.HUGGING_FACE_BASE;
    return tensors.find(base.embedTokens() + TensorNames.WEIGHT).isPresent()
        ? base
        : TensorNames.HUGGING_FACE;
  }

  private static List<Path> weightFiles(Path folder) {
    if (Files.exists(folder.resolve(SINGLE_FILE))) {
      return List.of(folder.resolve(SINGLE_FILE));
    }
    Path indexFile = folder.resolve(INDEX);
    if (!Files.exists(indexFile)) {
      throw new CheckpointException(
          "%s: no weights found: neither %s nor %s; PyTorch .bin weights must be saved as safetensors"
              .formatted(folder, SINGLE_FILE, INDEX));
    }
    JsonObject weightMap = JsonObject.read(indexFile).requireObject("weight_map");
    TreeSet<String> names = new TreeSet<>();
    for (String tensor : weightMap.keys()) {
      names.add(weightMap.requireString(tensor));
    }
    List<Path> files = new ArrayList<>();
    for (String name : names) {
      // A shard is a plain name inside the folder, never a path that leads out of it.
      if (!name.endsWith(".safetensors")
          || name.contains("/")
          || name.contains("\\")
          || !isFileName(name)) {
        throw new CheckpointException(
            "%s: weight_map names the invalid path '%s'; shards must be .safetensors files in the same folder"
                .formatted(indexFile, name));
      }
      Path file = folder.resolve(name);
      if (!Files.isRegularFile(file)) {
        throw new CheckpointException(
            "%s: shard %s, which %s names, is missing; fetch it".formatted(folder, name, INDEX));
      }
      files.add(file);
    }
    return files;
  }

  /// No file system takes a NUL, and the locale's encoding lacks half of a surrogate pair.
  private static boolean isFileName(String name) {
    try {
      return !Path.of(name).toString().isEmpty();
    } catch (InvalidPathException e) {
      return false;
    }
  }

  private static String modelName(Path folder, JsonObject config) {
    return config
        .findString("_name_or_path")
        .filter(name -> !name.isEmpty())
        .orElseGet(() -> folderName(folder));
  }

  static String folderName(Path folder) {
    Path name = folder.toAbsolutePath().normalize().getFileName();
    return name == null ? folder.toString() : name.toString();
  }

  private static OptionalInt bosTokenId(Path folder, JsonObject config) {
    return generationConfig(folder)
        .map(generation -> generation.findInt("bos_token_id"))
        .filter(OptionalInt::isPresent)
        .orElseGet(() -> config.findInt("bos_token_id"));
  }

  /// `generation_config.json` knows more ends than `config.json`: instruct models end a turn with
  /// another token than a text.
  private static List<Integer> eosTokenIds(Path folder, JsonObject config) {
    List<Integer> ids =
        new ArrayList<>(
            generationConfig(folder)
                .map(generation -> generation.intOrInts("eos_token_id"))
                .orElse(List.of()));
    ids.addAll(config.intOrInts("eos_token_id"));
    return ids;
  }

  private static Optional<JsonObject> generationConfig(Path folder) {
    Path file = folder.resolve(GENERATION_CONFIG);
    return Files.exists(file) ? Optional.of(JsonObject.read(file)) : Optional.empty();
  }

  @Override
  TensorTable readTensors() {
    return tensors;
  }

  @Override
  Tokenizer readTokenizer() {
    return CheckpointTokenizers.ofFolder(folder, config().vocabSize());
  }

  /// A `chat_template.jinja` wins over `tokenizer_config.json`, as in transformers; of several
  /// named templates the one called "default" is taken.
  @Override
  Optional<String> readChatTemplate() {
    Path jinja = folder.resolve(CHAT_TEMPLATE);
    if (Files.exists(jinja)) {
      return Optional.of(readText(jinja));
    }
    Path file = folder.resolve(TOKENIZER_CONFIG);
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    JsonObject json = JsonObject.read(file);
    if (!json.isList("chat_template")) {
      return json.findString("chat_template");
    }
    return json.requireObjects("chat_template").stream()
        .filter(template -> template.requireString("name").equals("default"))
        .map(template -> template.requireString("template"))
        .findFirst();
  }

  private static String readText(Path file) {
    try {
      requireRegular(file);
      if (Files.size(file) > MAX_TEMPLATE_BYTES) {
        throw new CheckpointException(
            "%s: %d bytes is too large for a chat template".formatted(file, Files.size(file)));
      }
      return Files.readString(file);
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(file, e), e);
    }
  }
}
