package io.cusco.llama.cuda.gpucheck;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// Runs the `gpu` tests once more, in a JVM under NVIDIA's compute-sanitizer, where it is installed
/// and the machine lets it watch the GPU.
final class Sanitizer {
  /// memcheck, racecheck, initcheck and synccheck are there.
  static final List<String> TOOLS = List.of("memcheck", "racecheck");

  static final String ERRORS = "errors";

  private static final int ERROR_EXIT_CODE = 99;
  private static final int MAX_LINES = 400;

  private Sanitizer() {}

  /// @param outcome "clean", "errors", "not installed", or why it did not run to its end
  record Outcome(String tool, String outcome) {}

  /// @param tool one of [#TOOLS]
  static Outcome run(String tool, List<String> javaCommand, double seconds)
      throws IOException, InterruptedException {
    Optional<Path> program = find();
    if (program.isEmpty()) {
      return new Outcome(tool, "not installed");
    }
    List<String> command =
        new ArrayList<>(
            List.of(
                program.get().toString(),
                "--tool",
                tool,
                "--error-exitcode",
                String.valueOf(ERROR_EXIT_CODE)));
    command.addAll(javaCommand);
    Path log = Files.createTempFile("compute-sanitizer", ".log");
    try {
      ChildProcess.End end = ChildProcess.run(command, seconds, log);
      print(tool, log);
      return new Outcome(tool, outcome(end));
    } finally {
      Files.delete(log);
    }
  }

  private static String outcome(ChildProcess.End end) {
    return switch (end.exitCode()) {
      case 0 -> "clean";
      case ERROR_EXIT_CODE -> ERRORS;
      default -> end.problem();
    };
  }

  private static void print(String tool, Path log) throws IOException {
    System.out.println("--- compute-sanitizer " + tool);
    try (Stream<String> lines = Files.lines(log, StandardCharsets.ISO_8859_1)) {
      lines.limit(MAX_LINES).forEach(System.out::println);
    }
  }

  private static Optional<Path> find() {
    String path = System.getenv().getOrDefault("PATH", "");
    return Stream.concat(
            Stream.of(path.split(File.pathSeparator)), Stream.of("/usr/local/cuda/bin"))
        .filter(folder -> !folder.isEmpty())
        .map(folder -> Path.of(folder, "compute-sanitizer"))
        .filter(Files::isExecutable)
        .findFirst();
  }
}
