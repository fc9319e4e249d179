package io.cusco.llama.backend;

/// Hears how far the copy of a model's weights to a device has come. A backend that uses them where
/// the file is mapped copies nothing and says nothing. Called on the thread that loads, often: an
/// implementation returns quickly and throws nothing.
@FunctionalInterface
public interface LoadProgress {
  /// Listens to nothing.
  LoadProgress NONE = (loadedBytes, totalBytes) -> {};

  /// @param loadedBytes bytes of the checkpoint's tensors that are on their way or there
  /// @param totalBytes bytes of all that will be copied, the same in every call
  void loaded(long loadedBytes, long totalBytes);
}
