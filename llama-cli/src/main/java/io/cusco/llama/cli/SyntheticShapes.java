package io.cusco.llama.cli;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import java.util.LinkedHashMap;
import java.util.Map;

/// The published shapes that `bench --synthetic` knows. Source: the `config.json` of each release.
final class SyntheticShapes {
  private static final RopeScaling NONE = new RopeScaling.None();
  private static final RopeScaling LLAMA_3_1 = new RopeScaling.Llama3(8, 1, 4, 8192);
  private static final RopeScaling LLAMA_3_2 = new RopeScaling.Llama3(32, 1, 4, 8192);

  private SyntheticShapes() {}

  static Map<String, LlamaConfig> all() {
    Map<String, LlamaConfig> shapes = new LinkedHashMap<>();
    shapes.put("llama-3.2-1b", llama3(2048, 8192, 16, 32, 64, 131072, LLAMA_3_2, true));
    shapes.put("llama-3.2-3b", llama3(3072, 8192, 28, 24, 128, 131072, LLAMA_3_2, true));
    shapes.put("llama-3.1-8b", llama3(4096, 14336, 32, 32, 128, 131072, LLAMA_3_1, false));
    shapes.put("llama-3.1-70b", llama3(8192, 28672, 80, 64, 128, 131072, LLAMA_3_1, false));
    shapes.put("llama-3.1-405b", llama3(16384, 53248, 126, 128, 128, 131072, LLAMA_3_1, false));
    shapes.put("llama-3-8b", llama3(4096, 14336, 32, 32, 128, 8192, NONE, false));
    shapes.put("llama-2-7b", llama2(4096, 11008, 32, 32, 32, 32000, 4096, 1e4));
    shapes.put("llama-2-13b", llama2(5120, 13824, 40, 40, 40, 32000, 4096, 1e4));
    shapes.put("llama-2-70b", llama2(8192, 28672, 80, 64, 8, 32000, 4096, 1e4));
    shapes.put("codellama-7b", llama2(4096, 11008, 32, 32, 32, 32016, 16384, 1e6));
    shapes.put("codellama-34b", llama2(8192, 22016, 48, 64, 8, 32000, 16384, 1e6));
    return shapes;
  }

  private static LlamaConfig llama3(
      int hidden,
      int intermediate,
      int layers,
      int heads,
      int headDim,
      int context,
      RopeScaling scaling,
      boolean tied) {
    return new LlamaConfig(
        hidden,
        intermediate,
        layers,
        heads,
        8,
        headDim,
        128256,
        context,
        1e-5f,
        5e5,
        scaling,
        tied);
  }

  private static LlamaConfig llama2(
      int hidden,
      int intermediate,
      int layers,
      int heads,
      int kvHeads,
      int vocab,
      int context,
      double theta) {
    return new LlamaConfig(
        hidden,
        intermediate,
        layers,
        heads,
        kvHeads,
        hidden / heads,
        vocab,
        context,
        1e-5f,
        theta,
        NONE,
        false);
  }
}
