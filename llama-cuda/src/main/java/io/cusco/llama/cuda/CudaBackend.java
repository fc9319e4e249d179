package io.cusco.llama.cuda;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.KeptContexts;
import io.cusco.llama.model.LlamaModel;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One GPU: its context, and the kernels translated for it. Models loaded on it share both, and so
/// are run by one thread at a time; which thread may change between calls.
final class CudaBackend implements Backend {
  private static final Logger LOG = LoggerFactory.getLogger(CudaBackend.class);

  private final CudaContext context;
  private final KernelModules modules;
  private boolean closed;

  /// @param devices those that can be used, in the driver's order
  CudaBackend(BackendOptions options, List<CudaDevice> devices) {
    int ordinal = options.device().orElse(devices.getFirst().ordinal());
    CudaDevice device =
        devices.stream()
            .filter(candidate -> candidate.ordinal() == ordinal)
            .findFirst()
            .orElseThrow(() ->
                new LlamaException(
                    "device %d: the CUDA backend can use %s"
                        .formatted(ordinal, devices.stream().map(CudaDevice::label).toList())));
    context = CudaContext.open(device);
    try {
      modules = KernelModules.load(context);
    } catch (RuntimeException | Error e) {
      context.close();
      throw e;
    }
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public String device() {
    return context.device().description();
  }

  /// See [KeptContexts].
  void keepContext() {
    KeptContexts.keep(context.device());
  }

  /// The engine's thread drives the GPU.
  @Override
  public int threads() {
    return 1;
  }

  @Override
  public LlamaModel load(LlamaConfig config, LlamaWeights weights, ModelOptions options) {
    context.bindToCurrentThread();
    CudaLlamaModel model = new CudaLlamaModel(context, modules, config, weights, options);
    LOG.info("CUDA: {}, {}", device(), model.memory());
    return model;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      context.bindToCurrentThread();
      try {
        modules.close();
      } finally {
        context.close();
      }
    }
  }
}
