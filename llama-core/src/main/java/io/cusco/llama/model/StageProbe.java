package io.cusco.llama.model;

/// Sees the result of every stage of every layer; for tests that look for the first stage at which
/// two forward passes part. A model without a probe does no work for it.
@FunctionalInterface
public interface StageProbe {

  /// Called once per stage and layer, on the thread that runs the step.
  ///
  /// @param stage which stage
  /// @param layer decoder block, or -1 for the stages outside the blocks
  /// @param values row-major copy, `[rows, width]`
  void observe(Stage stage, int layer, float[] values, int rows, int width);
}
