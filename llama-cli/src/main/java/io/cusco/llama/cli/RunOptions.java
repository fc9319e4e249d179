package io.cusco.llama.cli;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaOptions;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.Backends;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.backend.Repack;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.engine.EngineOptions;
import java.util.Locale;
import java.util.OptionalInt;
import picocli.CommandLine.Option;

/// Where and how exactly a model runs.
final class RunOptions {
  @Option(
      names = "--backend",
      paramLabel = "NAME",
      defaultValue = Backends.AUTO,
      description = "auto, cpu or cuda (default: ${DEFAULT-VALUE}: the best that works here).")
  private String backend;

  @Option(names = "--device", paramLabel = "N", description = "Which of several devices, from 0.")
  private Integer device;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute (default: one per core).")
  private Integer threads;

  @Option(
      names = "--compute",
      paramLabel = "MODE",
      defaultValue = "auto",
      converter = ComputeModeConverter.class,
      description = {
        "f32: weights widened to f32 and f32 arithmetic; auto: the fast path (default); fp8: the layers'",
        "weights as e4m3, on GPUs of compute capability 8.9 and above."
      })
  private ComputeMode compute;

  @Option(
      names = "--repack",
      paramLabel = "WHEN",
      defaultValue = "auto",
      converter = RepackConverter.class,
      description =
          "Copy weights to where they decode faster, on the CPU: on, off, or auto (default): if the copies fit into a quarter of the memory.")
  private Repack repack;

  @Option(
      names = "--deterministic",
      description = {
        "Logits depend on the text before them alone, to the last bit: not on what else is computed",
        "at the same time, nor on how prompts are cut into steps. Slower."
      })
  private boolean deterministic;

  @Option(
      names = "--kv-type",
      paramLabel = "TYPE",
      defaultValue = "auto",
      converter = KvTypeConverter.class,
      description = {
        "What keys and values are kept as: auto, as the backend computes with them (default); fp8, half the memory",
        "and less exact, on GPUs of compute capability 8.9 and above."
      })
  private KvType kvType;

  String backend() {
    return backend;
  }

  ComputeMode compute() {
    return compute;
  }

  boolean deterministic() {
    return deterministic;
  }

  KvType kvType() {
    return kvType;
  }

  BackendOptions backendOptions() {
    return Usage.check(() -> new BackendOptions(optional(device), optional(threads), repack));
  }

  /// Opens a model for `maxSequences` concurrent sequences.
  Llama open(
      CliContext terminal,
      ModelOption model,
      ContextOption context,
      int maxSequences,
      EngineSwitches switches) {
    try (ProgressBar bar = terminal.loadingBar()) {
      LlamaOptions options =
          Usage.check(() ->
              new LlamaOptions(
                  backend,
                  backendOptions(),
                  compute,
                  context.contextLength(),
                  maxSequences,
                  CliContext.loading(bar),
                  switches.engineOptions(),
                  deterministic,
                  kvType));
      return Llama.open(model.open(), options);
    }
  }

  /// Opens a model that works beside another, for `maxSequences` texts at a time.
  Llama openBeside(
      CliContext terminal, Checkpoint checkpoint, OptionalInt contextLength, int maxSequences) {
    try (ProgressBar bar = terminal.loadingBar()) {
      return Llama.open(
          checkpoint,
          new LlamaOptions(
              backend,
              backendOptions(),
              compute,
              contextLength,
              maxSequences,
              CliContext.loading(bar),
              EngineOptions.DEFAULT,
              deterministic,
              kvType));
    }
  }

  static OptionalInt optional(Integer value) {
    return value == null ? OptionalInt.empty() : OptionalInt.of(value);
  }

  static final class ComputeModeConverter
      implements picocli.CommandLine.ITypeConverter<ComputeMode> {
    @Override
    public ComputeMode convert(String text) {
      return switch (text.toLowerCase(Locale.ROOT)) {
        case "f32" -> ComputeMode.F32;
        case "auto" -> ComputeMode.AUTO;
        case "fp8" -> ComputeMode.FP8;
        default ->
            throw new picocli.CommandLine.TypeConversionException("expected f32, auto or fp8");
      };
    }
  }

  static final class KvTypeConverter implements picocli.CommandLine.ITypeConverter<KvType> {
    @Override
    public KvType convert(String text) {
      return switch (text.toLowerCase(Locale.ROOT)) {
        case "auto" -> KvType.AUTO;
        case "fp8" -> KvType.FP8;
        default -> throw new picocli.CommandLine.TypeConversionException("expected auto or fp8");
      };
    }
  }

  static final class RepackConverter implements picocli.CommandLine.ITypeConverter<Repack> {
    @Override
    public Repack convert(String text) {
      return switch (text.toLowerCase(Locale.ROOT)) {
        case "auto" -> Repack.AUTO;
        case "on" -> Repack.ON;
        case "off" -> Repack.OFF;
        default ->
            throw new picocli.CommandLine.TypeConversionException("expected auto, on or off");
      };
    }
  }
}
