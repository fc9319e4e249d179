package io.cusco.llama.cuda.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import java.util.List;
import org.junit.jupiter.api.Test;

/// The measurements run through on the stand-in; what it takes for them says nothing.
@EmulatedGpu
class CeilingsTest {
  @Test
  void everythingIsMeasuredAndWhatTheDeviceLacksIsSaid(CudaContext context) {
    List<Ceilings.Rate> rates =
        new Ceilings(context, new Ceilings.Sizes(100_000, 5_000, 48, 2)).measure();
    assertThat(rates).hasSize(8);
    assertThat(rates)
        .filteredOn(rate -> !rate.problem().isEmpty())
        .as("compute capability 8.0 has no FP8")
        .allMatch(rate -> rate.name().contains("fp8"))
        .hasSize(2);
    assertThat(rates).filteredOn(rate -> rate.unit().equals("B/s")).hasSize(2);
  }
}
