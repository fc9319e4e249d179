package io.cusco.llama.backend;

import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.model.LlamaModel;

/// An opened device that can load models. Owns threads or a device context; close it after the
/// models that it loaded.
public interface Backend extends AutoCloseable {
  /// "cpu", "cuda".
  String name();

  /// The device in a few words: "2 threads, 512-bit vectors".
  String device();

  /// Host threads that compute.
  int threads();

  /// Loads a model. The weights stay owned by their checkpoint and must outlive the model.
  ///
  /// @throws io.cusco.llama.LlamaException if memory does not suffice or a feature is missing here,
  ///   naming it
  LlamaModel load(LlamaConfig config, LlamaWeights weights, ModelOptions options);

  @Override
  void close();
}
