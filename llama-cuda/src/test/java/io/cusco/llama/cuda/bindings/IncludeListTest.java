package io.cusco.llama.cuda.bindings;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// jextract leaves out in silence what it does not find; what the include lists name has to be
/// there, and nothing else.
class IncludeListTest {
  @ParameterizedTest
  @CsvSource({
    "driver, CudaDriver, 82",
    "cublas, Cublas, 15",
    "cublaslt, CublasLt, 26",
  })
  void theGeneratedClassHoldsWhatTheListNames(String list, String className, int numFunctions)
      throws Exception {
    String packageName = "io.cusco.llama.cuda.bindings." + list;
    Set<String> methods =
        Arrays.stream(Class.forName(packageName + "." + className).getDeclaredMethods())
            .filter(method -> Modifier.isPublic(method.getModifiers()))
            .map(Method::getName)
            .collect(Collectors.toSet());
    List<String> functions = new ArrayList<>();
    for (String line : lines(list)) {
      String[] words = line.split(" ", -1);
      switch (words[0]) {
        case "--include-function" -> {
          functions.add(words[1]);
          assertThat(methods).contains(words[1], words[1] + "$descriptor", words[1] + "$handle");
        }
        case "--include-constant" -> assertThat(methods).contains(words[1]);
        case "--include-struct", "--include-union", "--include-typedef" ->
            assertThat(Class.forName(packageName + "." + words[1])).isNotNull();
        default -> throw new AssertionError("no option of an include list: " + line);
      }
    }
    assertThat(functions).hasSize(numFunctions).doesNotHaveDuplicates();
    assertThat(methods).filteredOn(name -> name.endsWith("$handle")).hasSize(numFunctions);
  }

  private static List<String> lines(String list) throws IOException {
    Path folder = Path.of("..", "native-headers");
    try (var lines = Files.lines(folder.resolve(list + ".args"))) {
      return lines.filter(line -> !line.isBlank() && !line.startsWith("#")).toList();
    }
  }
}
