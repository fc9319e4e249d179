package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.testkit.Json;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/// What torch's attention takes for the prompts of K2 on the same GPU in the same run, where torch
/// is installed.
final class TorchAttention {
  /// The id of its rows.
  static final String ID = "K2 torch";

  private TorchAttention() {}

  /// Implementations that torch has on NVIDIA GPUs.
  enum Kind {
    FLASH("torch SDPA, flash"),
    CUDNN("torch SDPA, cuDNN");

    private final String text;

    Kind(String text) {
      this.text = text;
    }

    String text() {
      return text;
    }

    /// @param ours name of this project's row of the same shape
    String rowName(String ours) {
      return "%s: %s".formatted(text, ours);
    }
  }

  /// @param device torch's name of the device
  /// @param seconds after which it is stopped
  /// @param found gets a row for every implementation and shape, or one that says why there is none
  static void measure(
      KernelBenchmark.Sizes sizes, String device, double seconds, Consumer<Measurement> found)
      throws IOException, InterruptedException {
    List<String> arguments = new ArrayList<>();
    arguments.add(device);
    for (int number : new int[] {sizes.heads(), sizes.keyValueHeads(), sizes.headDim()}) {
      arguments.add(String.valueOf(number));
    }
    for (int length : sizes.prefillLengths()) {
      arguments.add("%dx%d".formatted(sizes.prompts(length), length));
    }
    Python.Outcome outcome = Python.run("torch_attention.py", seconds, arguments);
    for (Map<String, Object> line : outcome.lines()) {
      found.accept(
          line.containsKey("backend")
              ? measurement(sizes, line)
              : Measurement.missing(ID, "torch", (String) line.get("problem")));
    }
    if (!outcome.problem().isEmpty()) {
      found.accept(Measurement.missing(ID, "torch", outcome.problem()));
    }
  }

  private static Measurement measurement(KernelBenchmark.Sizes sizes, Map<String, Object> line) {
    int length = ((Number) line.get("length")).intValue();
    Kind kind = Kind.valueOf(((String) line.get("backend")).toUpperCase(Locale.ROOT));
    String name = kind.rowName(sizes.prefillName(length));
    if (line.containsKey("problem")) {
      return Measurement.missing(ID, name, (String) line.get("problem"));
    }
    double[] times = Json.doubles(line.get("times_ms"));
    for (int i = 0; i < times.length; i++) {
      times[i] /= 1e3;
    }
    double flops =
        sizes.prompts(length) * Roofline.attentionFlops(sizes.heads(), sizes.headDim(), length);
    return Measurement.of(ID, name, "gpu", new Timing(times), flops, "FLOP/s")
        .withRemark((String) line.get("remark"));
  }
}
