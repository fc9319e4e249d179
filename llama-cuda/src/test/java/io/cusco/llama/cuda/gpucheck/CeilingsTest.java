package io.cusco.llama.cuda.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// The measurements run through on the stand-in; what it takes for them says nothing. Also the
/// tests of a rehearsal of gpu-check.
@EmulatedGpu
@Tag("rehearsed")
class CeilingsTest {
  @Test
  void everythingIsMeasuredAndWhatTheDeviceLacksIsSaid(CudaContext context) {
    List<Ceilings.Rate> rates = new ArrayList<>();
    new Ceilings(context, Scale.tiny().ceilings()).measure(new TimeShare(60), rates::add);
    assertThat(rates).hasSize(8);
    assertThat(rates)
        .filteredOn(rate -> !rate.problem().isEmpty())
        .as("compute capability 8.0 has no FP8")
        .allMatch(rate -> rate.name().contains("fp8"))
        .hasSize(2);
    assertThat(rates).filteredOn(rate -> rate.unit().equals("B/s")).hasSize(2);
  }

  @Test
  void aSpentShareIsSaidOfEveryRate(CudaContext context) {
    TimeShare spent = new TimeShare(0);
    List<Ceilings.Rate> rates = new ArrayList<>();
    new Ceilings(context, Scale.tiny().ceilings()).measure(spent, rates::add);
    assertThat(rates).hasSize(8).allMatch(rate -> rate.problem().contains("share of 0 s"));
    assertThat(spent.hasLeftOut()).isTrue();
  }
}
