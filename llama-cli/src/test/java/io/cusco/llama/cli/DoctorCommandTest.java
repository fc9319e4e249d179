package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.testkit.Json;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DoctorCommandTest {
  @Test
  void jsonTellsWhatIsHereAndWhatIsMissing() {
    Cli.Result result = Cli.run("doctor", "--json");
    assertThat(result.code()).as(result.err()).isZero();
    Map<String, Object> json = result.json();
    assertThat(json)
        .containsEntry("java_version", System.getProperty("java.runtime.version"))
        .containsEntry("cores", Runtime.getRuntime().availableProcessors())
        .containsKeys("vector_bits", "memory_bytes", "nvidia_driver", "gpus", "demo_model");
    assertThat(Json.array(json.get("backends")))
        .extracting(backend -> Json.object(backend).get("name"))
        .containsExactly("cuda", "cpu");
    assertThat(json.get("missing").toString()).doesNotContain("cuda");
  }

  @Test
  void theCudaBackendSaysOnceWhyAndThenWhatItLookedFor() {
    String out = Cli.run("doctor").out();
    assertThat(out).containsPattern("backend cuda +unavailable: .+\n  (tried|driver library)");
    assertThat(out).containsOnlyOnce("unavailable: ");
    String reason = out.lines().filter(line -> line.contains("unavailable: ")).findFirst().get();
    assertThat(out).containsOnlyOnce(reason.substring(reason.indexOf(": ") + 2));
  }

  @Test
  void textIsForPeople() {
    Cli.Result result = Cli.run("doctor");
    assertThat(result.out()).contains("java version", "vector bits", "backend cpu", "works: ");
    assertThat(result.err()).isEmpty();
  }
}
