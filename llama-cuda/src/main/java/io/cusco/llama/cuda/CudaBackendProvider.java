package io.cusco.llama.cuda;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.Availability;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.BackendProvider;
import io.cusco.llama.cuda.driver.CudaProbe;

/// Offers the CUDA backend to core. It looks for driver, GPU and cuBLAS, but this build holds no
/// model that runs on them; so it answers "unavailable" with the first reason that it meets, and
/// the automatic choice goes on to the next backend.
public final class CudaBackendProvider implements BackendProvider {
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
    CudaProbe probe = CudaProbe.run();
    return new Availability.Unavailable(reason(probe), probe.details());
  }

  private static String reason(CudaProbe probe) {
    return probe
        .problem()
        .orElseGet(() ->
            "driver and cuBLAS work with %s, but this build has no CUDA model yet: use --backend cpu"
                .formatted(probe.devices().getFirst().description()));
  }

  @Override
  public Backend open(BackendOptions options) {
    throw new LlamaException("CUDA backend unavailable: " + reason(CudaProbe.run()));
  }
}
