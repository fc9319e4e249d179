package io.cusco.llama.cuda.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.checkpoint.SyntheticCheckpoint;
import io.cusco.llama.cuda.CudaBackendProvider;
import io.cusco.llama.cuda.gpucheck.Rows.Row;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import io.cusco.llama.testkit.GoldenModels.Golden;
import io.cusco.llama.testkit.GoldenModels.Prompt;
import io.cusco.llama.testkit.ReferenceLlama;
import io.cusco.llama.testkit.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@EmulatedGpu
class ParityTest {
  @TempDir private Path folder;

  private interface Work {
    boolean run(Parity parity) throws IOException, InterruptedException;
  }

  private boolean withParity(Work work) throws IOException, InterruptedException {
    try (Backend backend = new CudaBackendProvider().open(BackendOptions.DEFAULT)) {
      return work.run(new Parity(backend, "cpu", new TimeShare(60), new Rows(rowsFile())));
    }
  }

  private Path rowsFile() {
    return folder.resolve("rows");
  }

  /// Compares the stand-in with [ReferenceLlama], one of whose logits is `error` off.
  private boolean compareWithReference(float error) throws IOException, InterruptedException {
    int[] ids = {3, 1, 4, 1, 5};
    try (Checkpoint checkpoint = SyntheticCheckpoint.open("tiny", "bf16")) {
      double[][] reference =
          new ReferenceLlama(checkpoint.config(), checkpoint.weights()).forward(ids);
      List<float[]> expected = new ArrayList<>();
      for (double[] row : reference) {
        float[] values = new float[row.length];
        for (int i = 0; i < row.length; i++) {
          values[i] = (float) row[i];
        }
        expected.add(values);
      }
      expected.get(2)[7] += error;
      Prompt prompt =
          new Prompt(
              "a", ids, new int[] {0, 1, 2, 3, 4}, new float[0][], new int[0], new double[0]);
      return withParity(parity -> parity.compare("tiny", checkpoint, List.of(prompt), expected));
    }
  }

  @Test
  void bothPathsMeetTheirTolerances() throws IOException, InterruptedException {
    assertThat(compareWithReference(0)).isTrue();
    assertThat(Rows.read(rowsFile()))
        .extracting(Row::values)
        .extracting(row -> row.get("compute") + " " + row.get("within"))
        .containsExactly("float32 true", "fast true");
  }

  @Test
  void aLogitThatIsOffIsFound() throws IOException, InterruptedException {
    assertThat(compareWithReference(0.5f)).isFalse();
    assertThat(Rows.read(rowsFile()))
        .extracting(row -> row.values().get("within"))
        .containsExactly(false, false);
  }

  /// With torch on the CPU in place of a GPU; `-Dllama.python` names a Python that has it.
  @Test
  void transformersAgreesOnAMiniModel() throws IOException, InterruptedException {
    TestData.require("models/llama3/hf-bf16");
    List<Golden> models =
        Parity.models().stream()
            .filter(model -> model.toString().equals("llama3/hf-bf16"))
            .toList();
    boolean within = withParity(parity -> parity.compare(models));
    List<Row> rows = Rows.read(rowsFile());
    assumeTrue(rows.stream().noneMatch(row -> row.values().containsKey("problem")), rows::toString);
    assertThat(within).as(rows.toString()).isTrue();
    assertThat(rows).as("versions and three comparisons").hasSize(4);
  }
}
