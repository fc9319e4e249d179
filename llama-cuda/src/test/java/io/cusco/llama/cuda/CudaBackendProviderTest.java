package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.Availability;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import io.cusco.llama.cuda.standin.StandIn;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

@EmulatedGpu
class CudaBackendProviderTest {
  private static final String DEVICE =
      "PTX emulator (stand-in, not a GPU), 0.3 GB, compute capability 8.0";

  private final CudaBackendProvider provider = new CudaBackendProvider();

  @Test
  void aMachineWhereEverythingWorksIsDescribed() {
    assertThat(provider.probe())
        .isInstanceOfSatisfying(
            Availability.Available.class,
            available -> {
              assertThat(available.description()).isEqualTo(DEVICE);
              assertThat(available.details())
                  .anyMatch(line -> line.startsWith("driver library: "))
                  .anyMatch(line -> line.startsWith("driver: for CUDA 12."))
                  .anyMatch(line -> line.startsWith("device 0: PTX emulator"))
                  .anyMatch(line -> line.startsWith("cuBLAS: "));
            });
  }

  @Test
  void aBackendOpensTheFirstDeviceAndClosesTwice() {
    Backend backend = provider.open(BackendOptions.DEFAULT);
    assertThat(backend.name()).isEqualTo("cuda");
    assertThat(backend.device()).isEqualTo(DEVICE);
    backend.close();
    backend.close();
  }

  @Test
  void theContextOutlivesProbesAndBackends(StandIn standIn) {
    provider.probe();
    provider.open(BackendOptions.DEFAULT).close();
    assertThat(standIn.leaks()).containsExactly("the primary context is still retained 1 times");
  }

  @Test
  void aDeviceThatIsNotThereIsNamedWithThoseThatAre() {
    BackendOptions third = new BackendOptions(OptionalInt.of(2), OptionalInt.empty());
    assertThatThrownBy(() -> provider.open(third))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("device 2")
        .hasMessageContaining("device 0 (PTX emulator");
  }
}
