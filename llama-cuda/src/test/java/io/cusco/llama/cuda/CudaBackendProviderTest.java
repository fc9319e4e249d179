package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.Availability;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import org.junit.jupiter.api.Test;

@EmulatedGpu
class CudaBackendProviderTest {
  private static final String NO_MODEL =
      "driver and cuBLAS work with PTX emulator (stand-in, not a GPU), 0.3 GB, compute capability 8.0,"
          + " but this build has no CUDA model yet";

  private final CudaBackendProvider provider = new CudaBackendProvider();

  @Test
  void aMachineWhereEverythingWorksIsToldThatThereIsNoModelYet() {
    assertThat(provider.probe())
        .isInstanceOfSatisfying(
            Availability.Unavailable.class,
            unavailable -> {
              assertThat(unavailable.reason()).startsWith(NO_MODEL);
              assertThat(unavailable.details())
                  .anyMatch(line -> line.startsWith("driver library: "))
                  .anyMatch(line -> line.startsWith("driver: for CUDA 12."))
                  .anyMatch(line -> line.startsWith("device 0: PTX emulator"))
                  .anyMatch(line -> line.startsWith("cuBLAS: "));
            });
    assertThatThrownBy(() -> provider.open(BackendOptions.DEFAULT))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining(NO_MODEL);
  }
}
