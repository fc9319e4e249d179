package io.cusco.llama.cuda;

import static io.cusco.llama.cuda.driver.ParameterType.FLOAT;
import static io.cusco.llama.cuda.driver.ParameterType.INT;
import static io.cusco.llama.cuda.driver.ParameterType.POINTER;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.AttentionKernels.StepAddresses;
import io.cusco.llama.cuda.CudaKernels.KvPools;
import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.ParameterType;
import io.cusco.llama.model.KvCacheSpec;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// A kernel that begins with the parameters of a step, `STEP_PARAMETERS` in attention.cuh, and ends
/// with the scales of a cache that has them. Blocks of 128 threads.
final class AttentionLaunch {
  /// Index of the first parameter beyond those of a step.
  static final int MORE = 13;

  private static final int THREADS = 128;

  private static final List<ParameterType> STEP =
      List.of(
          POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, INT, INT, INT, INT, INT,
          FLOAT);

  /// In place of the index of a parameter.
  private static final int NONE = -1;

  private final KernelLaunch kernel;
  private final int scales;

  /// @param plain family of the kernel over a cache of the model's type
  /// @param name of the kernel, up to the suffix that the format gives it
  AttentionLaunch(
      KernelModules modules,
      KvFormat format,
      Family plain,
      String name,
      LlamaConfig config,
      KvCacheSpec kvCache,
      ParameterType... more) {
    List<ParameterType> parameters = new ArrayList<>(STEP);
    Collections.addAll(parameters, more);
    scales = format.fp8() ? parameters.size() : NONE;
    if (format.fp8()) {
      parameters.add(POINTER);
    }
    kernel =
        modules
            .kernel(
                format.family(plain),
                name + "_" + format.suffix(),
                parameters.toArray(ParameterType[]::new))
            .block(THREADS, 1)
            .set(9, kvCache.blockSize())
            .set(10, config.numAttentionHeads())
            .set(11, config.numKeyValueHeads())
            .set(12, (float) (1 / Math.sqrt(config.headDim())));
  }

  /// For the parameters from [#MORE] on, and shared memory.
  KernelLaunch kernel() {
    return kernel;
  }

  AttentionLaunch operands(
      long queries, StepAddresses arrays, KvPools pools, long out, int numSequences) {
    kernel
        .rows(0, queries)
        .rows(1, pools.keys())
        .rows(2, pools.values())
        .elements(3, arrays.queryStarts())
        .elements(4, arrays.contextLengths())
        .elements(5, arrays.blockTables())
        .rows(6, out)
        .set(7, numSequences)
        .set(8, arrays.blockTableStride());
    if (scales != NONE) {
      kernel.elements(scales, pools.scales());
    }
    return this;
  }

  void launch(CudaStream stream, int gridX, int gridY, int gridZ) {
    kernel.launch(stream, gridX, gridY, gridZ);
  }
}
