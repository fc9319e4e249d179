package io.cusco.llama.cuda.driver;

import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.condition.OS;

/// Makes small shared libraries that stand in for NVIDIA's.
public final class CCompiler {
  private CCompiler() {}

  /// Aborts the test where there is no C compiler.
  public static Path compile(Path folder, String name, String source)
      throws IOException, InterruptedException {
    assumeTrue(!OS.WINDOWS.isCurrentOs(), "makes libraries with a Unix C compiler");
    Path c = Files.writeString(folder.resolve(name + ".c"), source);
    Path library = folder.resolve(name);
    List<String> command =
        List.of("gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library + "", c + "");
    Process gcc;
    try {
      gcc = new ProcessBuilder(command).inheritIO().start();
    } catch (IOException e) {
      return abort("there is no gcc here to make a library with");
    }
    if (gcc.waitFor() != 0) {
      throw new AssertionError("gcc failed on " + c);
    }
    return library;
  }
}
