package io.cusco.llama.cpu;

import io.cusco.llama.backend.Availability;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.BackendProvider;

/// Offers the pure-Java backend, which works everywhere.
public final class CpuBackendProvider implements BackendProvider {

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public int priority() {
    return 0;
  }

  @Override
  public Availability probe() {
    return new Availability.Available(
        "%d cores, %s"
            .formatted(Runtime.getRuntime().availableProcessors(), KernelChoice.description()));
  }

  @Override
  public Backend open(BackendOptions options) {
    return new CpuBackend(options);
  }
}
