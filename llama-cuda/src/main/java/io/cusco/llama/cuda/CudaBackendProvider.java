package io.cusco.llama.cuda;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.Availability;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.BackendProvider;

/// Offers the CUDA backend to core. This build holds no CUDA kernels, so it answers "unavailable"
/// with that reason, and the automatic choice goes on to the next backend.
public final class CudaBackendProvider implements BackendProvider {
  private static final String REASON =
      "this build of llama-cuda has no kernels; use --backend cpu, or a build that has them";

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public int priority() {
    return 100;
  }

  @Override
  public Availability probe() {
    return new Availability.Unavailable(REASON);
  }

  @Override
  public Backend open(BackendOptions options) {
    throw new LlamaException("CUDA backend unavailable: " + REASON);
  }
}
