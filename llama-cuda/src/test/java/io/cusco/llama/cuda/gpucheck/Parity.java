package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.testkit.GoldenModels;
import io.cusco.llama.testkit.GoldenModels.Golden;
import io.cusco.llama.testkit.GoldenModels.Prompt;
import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestSteps;
import io.cusco.llama.testkit.Tolerance;
import io.cusco.llama.testkit.Tolerance.Difference;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Holds the CUDA model against transformers on the same GPU, where it is installed: the logits of
/// the reference data's prompts, at the positions that its golden logits are of, by the mini models
/// in Hugging Face's form. Both of the model's paths are compared with transformers in float32;
/// transformers in bfloat16 shows what such a path loses elsewhere.
final class Parity {
  private static final int BLOCK_SIZE = 16;

  /// Of the time; most of it goes into importing.
  private static final double TRANSFORMERS_SHARE = 0.6;

  private final Backend backend;
  private final String device;
  private final TimeShare share;
  private final Rows rows;

  /// @param device torch's name of the device that transformers runs on
  Parity(Backend backend, String device, TimeShare share, Rows rows) {
    this.backend = backend;
    this.device = device;
    this.share = share;
    this.rows = rows;
  }

  /// A model and where transformers puts its logits: `[tokens of all prompts, vocabSize]`.
  private record Job(Golden golden, Path float32, Path bfloat16) {
    Map<String, Object> line() {
      return Rows.of(
          "name", golden.toString(),
          "folder", golden.checkpoint().toAbsolutePath().toString(),
          "prompts",
              golden.prompts().stream().map(p -> Arrays.stream(p.ids()).boxed().toList()).toList(),
          "float32", float32.toString(),
          "bfloat16", bfloat16.toString());
    }
  }

  /// The mini models in Hugging Face's form; none where the reference data is absent.
  static List<Golden> models() {
    return GoldenModels.all().stream()
        .filter(golden -> golden.checkpoint().getFileName().toString().startsWith("hf-"))
        .toList();
  }

  /// Adds a row for every comparison, or one that says why there is none.
  ///
  /// @return whether nothing was out of tolerance
  boolean compare(List<Golden> models) throws IOException, InterruptedException {
    Path work = Files.createTempDirectory("gpu-check-parity");
    try {
      List<Job> jobs = new ArrayList<>();
      for (Golden model : models) {
        int number = jobs.size();
        jobs.add(
            new Job(model, work.resolve(number + ".float32"), work.resolve(number + ".bfloat16")));
      }
      Path list = work.resolve("jobs");
      Files.write(list, jobs.stream().map(job -> Json.write(job.line())).toList());
      Python.Outcome outcome =
          Python.run(
              "torch_logits.py",
              TRANSFORMERS_SHARE * share.secondsLeft(),
              List.of(device, list.toString()));
      outcome.lines().forEach(this::note);
      if (!outcome.problem().isEmpty()) {
        problem("transformers", outcome.problem());
      }
      boolean within = true;
      for (Job job : jobs) {
        if (Files.exists(job.float32)) {
          within &= attempt(job);
        }
      }
      return within;
    } finally {
      delete(work);
    }
  }

  /// Versions and problems are worth keeping; that a file was written is not.
  private void note(Map<String, Object> line) {
    if (line.containsKey("problem")) {
      problem(
          String.valueOf(line.getOrDefault("model", "transformers")), (String) line.get("problem"));
    } else if (line.containsKey("torch")) {
      add(line, "parity with %s".formatted(line));
    }
  }

  private void problem(String what, String problem) {
    add(Rows.of("model", what, "problem", problem), "parity, %s: %s".formatted(what, problem));
  }

  private void add(Map<String, Object> row, String line) {
    rows.add(Rows.Section.PARITY, row);
    System.out.println(line);
  }

  /// A model that fails is told of, and the others are compared.
  private boolean attempt(Job job) throws IOException {
    try {
      return compare(job);
    } catch (LlamaException e) {
      e.printStackTrace();
      problem(job.golden.toString(), "failed: " + e.getMessage());
      return false;
    }
  }

  private boolean compare(Job job) throws IOException {
    String name = job.golden.toString();
    if (share.isSpent()) {
      problem(name, share.leaveOut());
      return true;
    }
    List<Prompt> prompts = job.golden.prompts();
    try (Checkpoint checkpoint = Checkpoint.open(job.golden.checkpoint())) {
      int vocabSize = checkpoint.config().vocabSize();
      List<float[]> expected = read(job.float32, vocabSize, prompts);
      boolean within = compare(name, checkpoint, prompts, expected);
      if (Files.exists(job.bfloat16)) {
        List<float[]> rounded = read(job.bfloat16, vocabSize, prompts);
        report(name, "transformers bfloat16", rounded, expected, Optional.empty());
      }
      return within;
    }
  }

  /// Compares both paths of a model.
  ///
  /// @param expected logits at every position of every prompt that is looked at
  boolean compare(
      String name, Checkpoint checkpoint, List<Prompt> prompts, List<float[]> expected) {
    List<float[]> exact = logits(checkpoint, ComputeMode.F32, prompts);
    boolean within = report(name, "float32", exact, expected, Optional.of(Tolerance.F32));
    List<float[]> fast = logits(checkpoint, ComputeMode.AUTO, prompts);
    within &= report(name, "fast", fast, expected, Optional.of(Tolerance.BF16_INPUTS));
    return within;
  }

  private boolean report(
      String name,
      String what,
      List<float[]> actual,
      List<float[]> expected,
      Optional<Tolerance> tolerance) {
    Difference difference = new Difference();
    double std = standardDeviation(expected);
    for (int i = 0; i < expected.size(); i++) {
      difference.add(actual.get(i), expected.get(i), std);
    }
    Map<String, Object> row =
        Rows.of(
            "model",
            name,
            "compute",
            what,
            "against",
            "transformers float32",
            "rows",
            expected.size(),
            "difference",
            difference.toString());
    boolean within = tolerance.map(difference::within).orElse(true);
    tolerance.ifPresent(allowed -> {
      row.put("tolerance", allowed.toString());
      row.put("within", within);
    });
    add(
        row,
        "parity, %s, %s: %s%s"
            .formatted(name, what, difference, within ? "" : ", out of " + tolerance.get()));
    return within;
  }

  private List<float[]> logits(Checkpoint checkpoint, ComputeMode compute, List<Prompt> prompts) {
    int longest = prompts.stream().mapToInt(prompt -> prompt.ids().length).max().orElseThrow();
    int blocks = Math.ceilDiv(longest, BLOCK_SIZE);
    ModelOptions options =
        new ModelOptions(
            compute,
            longest,
            longest,
            1,
            longest,
            BLOCK_SIZE,
            OptionalInt.of(blocks),
            Optional.empty(),
            LoadProgress.NONE);
    int[] table = IntStream.range(0, blocks).toArray();
    List<float[]> rows = new ArrayList<>();
    try (LlamaModel model = backend.load(checkpoint.config(), checkpoint.weights(), options)) {
      for (Prompt prompt : prompts) {
        int[] ids = prompt.ids();
        model.forward(TestSteps.of(BLOCK_SIZE, blocks).add(ids, 0, table, ids.length));
        for (int position : prompt.positions()) {
          float[] row = new float[checkpoint.config().vocabSize()];
          model.copyLogits(position, row);
          rows.add(row);
        }
      }
    }
    return rows;
  }

  private static List<float[]> read(Path file, int vocabSize, List<Prompt> prompts)
      throws IOException {
    FloatBuffer values =
        ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    List<float[]> rows = new ArrayList<>();
    int first = 0;
    for (Prompt prompt : prompts) {
      for (int position : prompt.positions()) {
        float[] row = new float[vocabSize];
        values.get((first + position) * vocabSize, row);
        rows.add(row);
      }
      first += prompt.ids().length;
    }
    return rows;
  }

  private static double standardDeviation(List<float[]> rows) {
    double sum = 0;
    double squares = 0;
    long count = 0;
    for (float[] row : rows) {
      for (float value : row) {
        sum += value;
        squares += (double) value * value;
        count++;
      }
    }
    double mean = sum / count;
    return Math.sqrt(squares / count - mean * mean);
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }
}
