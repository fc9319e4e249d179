package io.cusco.llama.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/// The mini models of the reference data with their exact outputs; every file that is there.
public final class GoldenModels {

  /// @param checkpoint a GGUF file or a folder
  /// @param prompts what the network answers, computed in float64 on the weights as stored
  public record Golden(Path checkpoint, int vocabSize, double logitsStd, List<Prompt> prompts) {
    @Override
    public String toString() {
      return checkpoint.getParent().getFileName() + "/" + checkpoint.getFileName();
    }
  }

  /// @param positions the positions that `logits` has a row for
  /// @param logits `[positions.length][vocabSize]`
  public record Prompt(
      String name,
      int[] ids,
      int[] positions,
      float[][] logits,
      int[] greedyIds,
      double[] greedyMargin) {}

  private GoldenModels() {}

  /// Every mini model in every format; empty where the reference data is absent.
  public static List<Golden> all() {
    Path models = TestData.root().map(root -> root.resolve("models")).orElse(null);
    if (models == null || !Files.isDirectory(models)) {
      return List.of();
    }
    List<Golden> found = new ArrayList<>();
    for (Path folder : list(models)) {
      for (Path file : list(folder)) {
        String name = file.getFileName().toString();
        boolean gguf = name.endsWith(".gguf");
        if (gguf || name.startsWith("hf-") || name.equals("meta-pth")) {
          found.add(load(folder, file, gguf ? weightsClass(folder, name) : floatClass(folder)));
        }
      }
    }
    return found;
  }

  private static String weightsClass(Path folder, String ggufName) {
    String type =
        ggufName.substring(folder.getFileName().toString().length() + 1, ggufName.length() - 5);
    return Files.exists(folder.resolve("golden/golden-" + type + ".json"))
        ? type
        : floatClass(folder);
  }

  private static String floatClass(Path folder) {
    return Files.exists(folder.resolve("golden/golden-exact.json")) ? "exact" : "full";
  }

  private static Golden load(Path folder, Path checkpoint, String weightsClass) {
    Map<String, Object> json =
        Json.object(Json.read(folder.resolve("golden/golden-" + weightsClass + ".json")));
    int vocabSize = ((Number) json.get("vocab")).intValue();
    ByteBuffer rows = bytes(folder.resolve("golden/logits-" + weightsClass + ".f32"));
    List<Prompt> prompts = new ArrayList<>();
    for (Object element : Json.array(json.get("prompts"))) {
      Map<String, Object> prompt = Json.object(element);
      int[] positions = Json.ints(prompt.get("positions"));
      int firstRow = ((Number) prompt.get("row")).intValue();
      float[][] logits = new float[positions.length][vocabSize];
      for (int i = 0; i < positions.length; i++) {
        rows.asFloatBuffer().get((firstRow + i) * vocabSize, logits[i]);
      }
      Object greedy = prompt.get("greedy_ids");
      prompts.add(
          new Prompt(
              (String) prompt.get("name"),
              Json.ints(prompt.get("ids")),
              positions,
              logits,
              greedy == null ? new int[0] : Json.ints(greedy),
              greedy == null ? new double[0] : Json.doubles(prompt.get("greedy_margin"))));
    }
    double std = ((Number) json.get("logits_std")).doubleValue();
    return new Golden(checkpoint, vocabSize, std, prompts);
  }

  private static ByteBuffer bytes(Path file) {
    try {
      return ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Path> list(Path folder) {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
