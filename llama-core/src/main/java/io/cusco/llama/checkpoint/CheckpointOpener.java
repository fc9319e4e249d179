package io.cusco.llama.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;

/// Decides which format a path holds, and says what it is where it is none that can be opened.
final class CheckpointOpener {
  /// The magic numbers of ggml's formats before GGUF, as little-endian words: ggml, ggmf, ggjt.
  private static final int GGML = 0x67676d6c;

  private static final int GGMF = 0x67676d66;
  private static final int GGJT = 0x67676a74;
  private static final int ZIP = 0x04034b50;
  private static final int LLAMA2C_V1 = 0x616b3432; // llama2.c's export.py: "ak42"

  private CheckpointOpener() {}

  static Checkpoint open(Path path) {
    if (!Files.exists(path)) {
      throw new CheckpointException(
          "%s: no such file or folder".formatted(path), new NoSuchFileException(path.toString()));
    }
    if (Files.isDirectory(path)) {
      return openFolder(path);
    }
    int magic = magic(path);
    if (magic == GgufFile.MAGIC) {
      return GgufCheckpoint.open(path);
    }
    throw new CheckpointException(path + ": " + describe(path, magic));
  }

  private static Checkpoint openFolder(Path folder) {
    if (Files.exists(folder.resolve(HuggingFaceCheckpoint.CONFIG))
        || Files.exists(folder.resolve(HuggingFaceCheckpoint.SINGLE_FILE))
        || Files.exists(folder.resolve(HuggingFaceCheckpoint.INDEX))) {
      return HuggingFaceCheckpoint.open(folder);
    }
    if (Files.exists(folder.resolve(MetaCheckpoint.PARAMS))) {
      return MetaCheckpoint.open(folder);
    }
    throw new CheckpointException(
        "%s: no model in this folder; expected config.json with *.safetensors, or params.json with"
                .formatted(folder)
            + " consolidated.*.pth; a .gguf file is opened by its own path");
  }

  /// The first four bytes as a little-endian word.
  private static int magic(Path file) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = GgufCheckpoint.map(file, arena);
      if (bytes.byteSize() == 0) {
        throw new CheckpointException(file + ": the file is empty");
      }
      return new ByteCursor(file.toString(), bytes, 0).int32("the magic number");
    }
  }

  /// What a file that is no GGUF most likely is, and what to do with it.
  private static String describe(Path file, int magic) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    if (name.endsWith(".safetensors") || name.endsWith(".safetensors.index.json")) {
      return "safetensors weights without their config; give the folder that holds config.json";
    }
    if (name.endsWith(".pth")) {
      return "a PyTorch file; for a Meta checkpoint give the folder that holds params.json";
    }
    if (name.endsWith(".json") || name.endsWith(".model")) {
      return "not weights; give the folder that holds them, or a .gguf file";
    }
    if (magic == GGML || magic == GGMF || magic == GGJT) {
      return "magic number of a ggml file older than GGUF; convert the model again with a current"
          + " llama.cpp converter";
    }
    if (magic == LLAMA2C_V1) {
      return "a llama2.c checkpoint; export the model as a Hugging Face folder or GGUF instead";
    }
    if (name.endsWith(".pt") || magic == ZIP || name.startsWith("pytorch_model")) {
      return "PyTorch weights; save them as safetensors (save_pretrained) and give that folder";
    }
    if (name.endsWith(".bin")) {
      return "not GGUF (magic number 0x%08x), perhaps llama2.c's headerless format; export the model"
              .formatted(Integer.reverseBytes(magic))
          + " as a Hugging Face folder or GGUF instead";
    }
    return "magic number 0x%08x is not GGUF; give a .gguf file, a Hugging Face folder or a Meta folder"
        .formatted(Integer.reverseBytes(magic));
  }
}
