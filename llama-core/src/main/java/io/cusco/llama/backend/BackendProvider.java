package io.cusco.llama.backend;

/// Service interface through which core finds backends.
public interface BackendProvider {
  /// The name that `--backend` takes.
  String name();

  /// Automatic choice takes the available backend with the highest priority.
  int priority();

  /// Looks for the device without holding on to it.
  Availability probe();

  /// @throws io.cusco.llama.LlamaException if the backend is unavailable, with the reason
  Backend open(BackendOptions options);
}
