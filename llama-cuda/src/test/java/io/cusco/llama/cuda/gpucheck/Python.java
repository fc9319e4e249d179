package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.testkit.Json;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Runs a script of ours in a Python that may have torch.
final class Python {
  /// The interpreter, `python3` unless this property names another.
  private static final String PROPERTY = "llama.python";

  private Python() {}

  /// @param lines what the script printed as JSON objects, one a line
  /// @param problem why it did not run to its end; empty if it did
  record Outcome(List<Map<String, Object>> lines, String problem) {}

  /// Runs a script that lies beside this class. What it prints beyond JSON goes to stdout.
  ///
  /// @param seconds after which it is stopped; what it printed until then is kept
  static Outcome run(String script, double seconds, List<String> arguments)
      throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory("gpu-check");
    Path copy = folder.resolve(script);
    Path printed = folder.resolve("printed");
    try (InputStream in = Python.class.getResourceAsStream(script)) {
      Files.copy(in, copy);
      List<String> command = new ArrayList<>();
      command.add(System.getProperty(PROPERTY, "python3"));
      command.add(copy.toString());
      command.addAll(arguments);
      String problem = ChildProcess.run(command, seconds, printed).problem();
      return outcome(printed, problem);
    } finally {
      Files.deleteIfExists(copy);
      Files.deleteIfExists(printed);
      Files.deleteIfExists(folder);
    }
  }

  private static Outcome outcome(Path printed, String problem) throws IOException {
    List<Map<String, Object>> lines = new ArrayList<>();
    if (Files.exists(printed)) {
      String text = Files.readString(printed);
      for (String line : text.substring(0, text.lastIndexOf('\n') + 1).lines().toList()) {
        if (line.startsWith("{")) {
          lines.add(Json.object(Json.parse(line)));
        } else {
          System.out.println(line);
        }
      }
    }
    return new Outcome(lines, problem);
  }
}
