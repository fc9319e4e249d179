package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.checkpoint.SyntheticCheckpoint;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.cuda.gpucheck.ModelBenchmark.Model;
import java.util.List;

/// How large everything in a run is, and where.
///
/// @param parityModels mini models that are compared, at most
/// @param torchDevice torch's name of the device
record Scale(
    Ceilings.Sizes ceilings,
    ModelBenchmark.Sizes models,
    KernelBenchmark.Sizes kernels,
    GpuTests.Selection tests,
    int parityModels,
    String torchDevice) {

  /// True shapes: Llama 3.1 8B and Llama 3.2 1B.
  static Scale real() {
    int context = 1024;
    LlamaConfig config = config("llama-3.1-8b");
    Model large = bf16("8B", config, "D1", "D3", List.of(64, 256));
    Model small = bf16("1B", config("llama-3.2-1b"), "D2", "D2", List.of());
    Model fp8 = fp8("8B", config, List.of(256));
    int stepTokens = 8192;
    int drawRows = 256;
    return new Scale(
        Ceilings.Sizes.REAL,
        new ModelBenchmark.Sizes(List.of(small, large, fp8), context, 2048, stepTokens, 5, 50, 10),
        new KernelBenchmark.Sizes(
            config.numAttentionHeads(),
            config.numKeyValueHeads(),
            config.headDim(),
            256,
            context,
            stepTokens,
            List.of(2048, 8192),
            drawRows,
            config.vocabSize(),
            large.rowName(drawRows, context),
            3,
            20),
        GpuTests.Selection.GPU,
        Integer.MAX_VALUE,
        "cuda");
  }

  /// Small enough for the stand-in: what it gives says nothing, but that it gives it, everything.
  static Scale tiny() {
    LlamaConfig config =
        new LlamaConfig(64, 96, 2, 4, 2, 64, 131, 256, 1e-5f, 1e4, new RopeScaling.None(), false);
    int context = 40;
    int drawRows = 3;
    Model large = bf16("tiny", config, "D1", "D3", List.of(2, drawRows));
    Model small = bf16("tiny again", config, "D2", "D2", List.of());
    Model fp8 = fp8("tiny", config, List.of(2));
    return new Scale(
        new Ceilings.Sizes(100_000, 5_000, 48, 2),
        new ModelBenchmark.Sizes(List.of(small, large, fp8), context, 32, 64, 2, 3, 2),
        new KernelBenchmark.Sizes(
            4,
            2,
            64,
            5,
            context,
            64,
            List.of(32, 64),
            drawRows,
            131,
            large.rowName(drawRows, context),
            1,
            2),
        GpuTests.Selection.REHEARSAL,
        2,
        "cpu");
  }

  private static LlamaConfig config(String name) {
    try (Checkpoint shape = SyntheticCheckpoint.open(name, "bf16")) {
      return shape.config();
    }
  }

  private static Model bf16(
      String name, LlamaConfig config, String alone, String together, List<Integer> batches) {
    return new Model(name, ComputeMode.AUTO, KvType.AUTO, config, alone, together, batches);
  }

  /// Weights and cache.
  private static Model fp8(String name, LlamaConfig config, List<Integer> batches) {
    return new Model(name, ComputeMode.FP8, KvType.FP8, config, "D4", "D4", batches);
  }
}
