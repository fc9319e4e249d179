package io.cusco.llama.cuda;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.Availability;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.BackendProvider;
import io.cusco.llama.cuda.driver.CudaProbe;
import java.util.Optional;

/// Offers the CUDA backend to core, where driver, GPU and cuBLAS are found to work; elsewhere it
/// answers "unavailable" with the first reason that it meets, and the automatic choice goes on to
/// the next backend.
public final class CudaBackendProvider implements BackendProvider {
  // A probe makes a context and a cuBLAS handle; opening right after one needs no second.
  private Optional<CudaProbe> working = Optional.empty();

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public int priority() {
    return 100;
  }

  @Override
  public synchronized Availability probe() {
    CudaProbe probe = CudaProbe.runAndKeepContext();
    working = probe.problem().isEmpty() ? Optional.of(probe) : Optional.empty();
    return probe
        .problem()
        .<Availability>map(reason -> new Availability.Unavailable(reason, probe.details()))
        .orElseGet(() ->
            new Availability.Available(probe.devices().getFirst().description(), probe.details()));
  }

  @Override
  public synchronized Backend open(BackendOptions options) {
    CudaProbe probe = working.orElseGet(CudaProbe::runAndKeepContext);
    if (probe.problem().isPresent()) {
      throw new LlamaException("CUDA backend unavailable: " + probe.problem().get());
    }
    CudaBackend backend = new CudaBackend(options, probe.devices());
    try {
      backend.keepContext();
      return backend;
    } catch (RuntimeException | Error e) {
      backend.close();
      throw e;
    }
  }
}
