package io.cusco.llama;

import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.Backends;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.engine.EngineOptions;
import java.util.OptionalInt;

/// How to open a model with [Llama#open]. Start from [#DEFAULT] and change what matters.
///
/// @param backend a backend's name, or "auto"
/// @param backendOptions device and threads
/// @param compute exact or fast
/// @param contextLength positions per sequence; empty takes the checkpoint's, at most
///   [#DEFAULT_MAX_CONTEXT]
/// @param maxSequences sequences that run at the same time; more wait in the queue
/// @param loadProgress hears how far loading has come
/// @param engine prefix cache, queue and limits of the engine
/// @param deterministic whether a request's tokens depend on nothing beside it, see
///   [io.cusco.llama.backend.ModelOptions#deterministic()]; slower
/// @param kvType what keys and values are kept as
public record LlamaOptions(
    String backend,
    BackendOptions backendOptions,
    ComputeMode compute,
    OptionalInt contextLength,
    int maxSequences,
    LoadProgress loadProgress,
    EngineOptions engine,
    boolean deterministic,
    KvType kvType) {

  /// What a model with a longer context gets unless told otherwise: a 128k context would reserve
  /// gigabytes of KV cache that few programs use.
  public static final int DEFAULT_MAX_CONTEXT = 8192;

  public static final LlamaOptions DEFAULT =
      new LlamaOptions(
          Backends.AUTO,
          BackendOptions.DEFAULT,
          ComputeMode.AUTO,
          OptionalInt.empty(),
          8,
          LoadProgress.NONE,
          EngineOptions.DEFAULT,
          false,
          KvType.AUTO);

  public LlamaOptions {
    if (contextLength.isPresent() && contextLength.getAsInt() < 1) {
      throw new IllegalArgumentException(
          "context length must be 1 or more, got " + contextLength.getAsInt());
    }
    if (maxSequences < 1) {
      throw new IllegalArgumentException("maxSequences must be 1 or more, got " + maxSequences);
    }
  }

  public LlamaOptions withBackend(String name) {
    return new LlamaOptions(
        name,
        backendOptions,
        compute,
        contextLength,
        maxSequences,
        loadProgress,
        engine,
        deterministic,
        kvType);
  }

  public LlamaOptions withBackendOptions(BackendOptions options) {
    return new LlamaOptions(
        backend,
        options,
        compute,
        contextLength,
        maxSequences,
        loadProgress,
        engine,
        deterministic,
        kvType);
  }

  public LlamaOptions withCompute(ComputeMode mode) {
    return new LlamaOptions(
        backend,
        backendOptions,
        mode,
        contextLength,
        maxSequences,
        loadProgress,
        engine,
        deterministic,
        kvType);
  }

  public LlamaOptions withContextLength(int tokens) {
    return new LlamaOptions(
        backend,
        backendOptions,
        compute,
        OptionalInt.of(tokens),
        maxSequences,
        loadProgress,
        engine,
        deterministic,
        kvType);
  }

  public LlamaOptions withMaxSequences(int sequences) {
    return new LlamaOptions(
        backend,
        backendOptions,
        compute,
        contextLength,
        sequences,
        loadProgress,
        engine,
        deterministic,
        kvType);
  }

  public LlamaOptions withLoadProgress(LoadProgress listener) {
    return new LlamaOptions(
        backend,
        backendOptions,
        compute,
        contextLength,
        maxSequences,
        listener,
        engine,
        deterministic,
        kvType);
  }

  public LlamaOptions withEngine(EngineOptions options) {
    return new LlamaOptions(
        backend,
        backendOptions,
        compute,
        contextLength,
        maxSequences,
        loadProgress,
        options,
        deterministic,
        kvType);
  }

  public LlamaOptions withDeterministic(boolean enabled) {
    return new LlamaOptions(
        backend,
        backendOptions,
        compute,
        contextLength,
        maxSequences,
        loadProgress,
        engine,
        enabled,
        kvType);
  }

  public LlamaOptions withKvType(KvType type) {
    return new LlamaOptions(
        backend,
        backendOptions,
        compute,
        contextLength,
        maxSequences,
        loadProgress,
        engine,
        deterministic,
        type);
  }
}
