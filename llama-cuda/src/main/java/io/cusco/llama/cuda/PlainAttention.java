package io.cusco.llama.cuda;

import static io.cusco.llama.cuda.driver.ParameterType.INT;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.CudaKernels.KvPools;
import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.model.KvCacheSpec;

/// One kernel for every head width, type and number of tokens; float32 throughout, and exact for
/// [ActivationType#F32] and what is in the cache.
final class PlainAttention implements AttentionKernels {
  private final int numHeads;
  private final AttentionLaunch attention;

  PlainAttention(KernelModules modules, KvFormat format, LlamaConfig config, KvCacheSpec kvCache) {
    numHeads = config.numAttentionHeads();
    attention =
        new AttentionLaunch(modules, format, Family.ATTENTION, "attention", config, kvCache, INT);
    attention
        .kernel()
        .set(AttentionLaunch.MORE, config.headDim())
        .shared(2 * config.headDim() * Float.BYTES);
  }

  @Override
  public void attend(
      CudaStream stream, long queries, StepAddresses arrays, KvPools pools, long out, Step step) {
    attention
        .operands(queries, arrays, pools, out, step.numSequences())
        .launch(stream, step.numTokens(), numHeads, 1);
  }

  @Override
  public void close() {}
}
