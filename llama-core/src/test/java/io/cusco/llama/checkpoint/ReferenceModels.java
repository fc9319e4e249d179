package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.testkit.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// The mini models of the reference data: their folders, their checkpoints in every format, and
/// what `spec.json` says their config is.
final class ReferenceModels {
  private ReferenceModels() {}

  /// Folders that hold a `spec.json`.
  static List<Path> folders() throws IOException {
    try (Stream<Path> folders = Files.list(TestData.require("models"))) {
      return folders.filter(folder -> Files.exists(folder.resolve("spec.json"))).sorted().toList();
    }
  }

  /// The `.gguf` files, Hugging Face folders and Meta folders of a model.
  static List<Path> checkpoints(Path model) throws IOException {
    try (Stream<Path> entries = Files.list(model)) {
      return entries
          .filter(entry ->
              entry.toString().endsWith(".gguf")
                  || Files.exists(entry.resolve("config.json"))
                  || Files.exists(entry.resolve("params.json")))
          .sorted()
          .toList();
    }
  }

  /// What every reader must find, except for the scaling of files that store factors instead.
  static LlamaConfig config(Path model) {
    JsonObject spec = JsonObject.read(model.resolve("spec.json"));
    return new LlamaConfig(
        spec.requireInt("dim"),
        spec.requireInt("ffn"),
        spec.requireInt("layers"),
        spec.requireInt("heads"),
        spec.requireInt("kv_heads"),
        spec.requireInt("head_dim"),
        spec.requireInt("vocab"),
        spec.requireInt("ctx"),
        (float) spec.requireDouble("eps"),
        spec.requireDouble("rope_theta"),
        spec.findObject("rope_scaling")
            .map(ReferenceModels::scaling)
            .orElse(new RopeScaling.None()),
        spec.booleanOr("tied", false));
  }

  private static RopeScaling scaling(JsonObject scaling) {
    double factor = scaling.requireDouble("factor");
    return scaling.contains("low_freq_factor")
        ? new RopeScaling.Llama3(
            factor,
            scaling.requireDouble("low_freq_factor"),
            scaling.requireDouble("high_freq_factor"),
            scaling.requireInt("original_max_position_embeddings"))
        : new RopeScaling.Linear(factor);
  }
}
