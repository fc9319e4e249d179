package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestStep;
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
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Holds the CUDA model against transformers on the same GPU, where it is installed: the logits of
/// one prompt of random tokens by every mini model in Hugging Face's form. Both of the model's
/// paths are compared with transformers in float32; transformers in bfloat16 shows what such a path
/// loses elsewhere.
final class Parity {
  private static final long SEED = 20261121;
  private static final int PROMPT = 96;
  private static final int BLOCK_SIZE = 16;

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

  /// A model, a prompt, and where transformers puts its logits.
  private record Job(String name, Path folder, int[] ids, Path float32, Path bfloat16) {
    Map<String, Object> line() {
      return Rows.of(
          "model", folder.toAbsolutePath().toString(),
          "ids", Arrays.stream(ids).boxed().toList(),
          "float32", float32.toString(),
          "bfloat16", bfloat16.toString());
    }
  }

  /// Every folder `MODEL/hf-*` of the reference data.
  static List<Path> models(Path root) throws IOException {
    Path models = root.resolve("models");
    if (!Files.isDirectory(models)) {
      return List.of();
    }
    try (Stream<Path> folders = Files.walk(models, 2)) {
      return folders
          .filter(folder -> folder.getFileName().toString().startsWith("hf-"))
          .sorted()
          .toList();
    }
  }

  /// Adds a row for every comparison, or one that says why there is none.
  ///
  /// @return whether nothing was out of tolerance
  boolean compare(List<Path> models) throws IOException, InterruptedException {
    Path work = Files.createTempDirectory("gpu-check-parity");
    try {
      List<Job> jobs = new ArrayList<>();
      for (Path model : models) {
        jobs.add(job(model, work, jobs.size()));
      }
      Path list = work.resolve("jobs");
      Files.write(list, jobs.stream().map(job -> Json.write(job.line())).toList());
      Python.Outcome outcome =
          Python.run("torch_logits.py", share.secondsLeft(), List.of(device, list.toString()));
      outcome.lines().forEach(this::note);
      if (!outcome.problem().isEmpty()) {
        problem("transformers", outcome.problem());
      }
      boolean within = true;
      for (Job job : jobs) {
        if (Files.exists(job.float32)) {
          within &= compare(job);
        }
      }
      return within;
    } finally {
      delete(work);
    }
  }

  private static Job job(Path model, Path work, int number) {
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      int length = Math.min(PROMPT, checkpoint.config().maxPositionEmbeddings());
      return new Job(
          model.getParent().getFileName() + "/" + model.getFileName(),
          model,
          new SplittableRandom(SEED + number)
              .ints(length, 0, checkpoint.config().vocabSize())
              .toArray(),
          work.resolve(number + ".float32"),
          work.resolve(number + ".bfloat16"));
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

  private boolean compare(Job job) throws IOException {
    if (share.isSpent()) {
      problem(job.name, share.leaveOut());
      return true;
    }
    try (Checkpoint checkpoint = Checkpoint.open(job.folder)) {
      int vocabSize = checkpoint.config().vocabSize();
      float[][] expected = read(job.float32, vocabSize);
      float[][] exact = logits(checkpoint, ComputeMode.F32, job.ids);
      float[][] fast = logits(checkpoint, ComputeMode.AUTO, job.ids);
      boolean within = report(job, "float32", exact, expected, Optional.of(Tolerance.F32));
      within &= report(job, "fast", fast, expected, Optional.of(Tolerance.BF16_INPUTS));
      if (Files.exists(job.bfloat16)) {
        report(
            job,
            "transformers bfloat16",
            read(job.bfloat16, vocabSize),
            expected,
            Optional.empty());
      }
      return within;
    }
  }

  private boolean report(
      Job job, String what, float[][] actual, float[][] expected, Optional<Tolerance> tolerance) {
    Difference difference = new Difference();
    double std = standardDeviation(expected);
    for (int i = 0; i < expected.length; i++) {
      difference.add(actual[i], expected[i], std);
    }
    Map<String, Object> row =
        Rows.of(
            "model",
            job.name,
            "compute",
            what,
            "against",
            "transformers float32",
            "tokens",
            expected.length,
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
            .formatted(job.name, what, difference, within ? "" : ", out of " + tolerance.get()));
    return within;
  }

  private float[][] logits(Checkpoint checkpoint, ComputeMode compute, int[] ids) {
    int blocks = Math.ceilDiv(ids.length, BLOCK_SIZE);
    ModelOptions options =
        new ModelOptions(
            compute,
            ids.length,
            ids.length,
            1,
            ids.length,
            BLOCK_SIZE,
            OptionalInt.of(blocks),
            Optional.empty());
    float[][] logits = new float[ids.length][checkpoint.config().vocabSize()];
    try (LlamaModel model = backend.load(checkpoint.config(), checkpoint.weights(), options)) {
      model.forward(
          new TestStep(BLOCK_SIZE, blocks)
              .add(ids, 0, IntStream.range(0, blocks).toArray(), ids.length));
      for (int i = 0; i < ids.length; i++) {
        model.copyLogits(i, logits[i]);
      }
    }
    return logits;
  }

  private static float[][] read(Path file, int vocabSize) throws IOException {
    FloatBuffer values =
        ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    float[][] rows = new float[values.capacity() / vocabSize][vocabSize];
    for (float[] row : rows) {
      values.get(row);
    }
    return rows;
  }

  private static double standardDeviation(float[][] rows) {
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
