package io.cusco.llama.cuda.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.driver.Cublas;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.ElementType;
import io.cusco.llama.cuda.driver.Gemm;
import io.cusco.llama.cuda.gpucheck.GpuTests.Selection;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.cuda.standin.StandInSettings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;
import org.junit.platform.engine.discovery.DiscoverySelectors;

/// What becomes of the other tests where one of them takes the GPU from its process.
@EmulatedGpu
class GpuTestsTest {
  private static final String TAG = "loses-its-gpu";

  /// Run by the test below alone.
  @Tag(TAG)
  @TestMethodOrder(MethodOrderer.MethodName.class)
  static final class LosesItsGpu {
    @Test
    void aFailsByItself() {
      throw new AssertionError("wrong by itself");
    }

    @Test
    void bReadsBeyondABuffer() {
      CudaContext context = CudaContext.open(CudaDevice.all().getFirst());
      CudaStream stream = CudaStream.create(context);
      DeviceBuffer small = DeviceBuffer.allocate(context, "small", 64);
      small.fill((byte) 0);
      long matrix = small.address();
      Gemm gemm = Gemm.linear(8, 8, 8, ElementType.F32, ElementType.F32);
      Cublas cublas = Cublas.create(stream, DeviceBuffer.allocate(context, "workspace", 1 << 20));
      cublas.gemm(gemm, 1, matrix, matrix, 0, matrix);
      context.synchronize();
    }
  }

  @Test
  void theRunThatGoesOnLeavesOutWhatHasARow(StandIn standIn, @TempDir Path folder)
      throws IOException {
    assertThat(CudaProbe.run().problem()).isEmpty();
    Rows rows = new Rows(folder.resolve("rows"));
    Selection selection = new Selection(DiscoverySelectors.selectClass(LosesItsGpu.class), TAG);
    AtomicInteger losses = new AtomicInteger();
    assertThat(GpuTests.run(selection, rows, losses::incrementAndGet)).isFalse();
    assertThat(losses).as("a failure that leaves the GPU alone is none").hasValue(1);
    assertThat(rows.all())
        .extracting(row -> row.values().get("status"))
        .containsExactly(null, "FAILED", "FAILED");
    assertThat(GpuTests.run(selection, rows, losses::incrementAndGet)).isTrue();
    assertThat(rows.all()).as("one more row, that nothing was found").hasSize(4);
    standIn.reset(StandInSettings.DEFAULT, 1);
  }

  @Test
  void testsOfAClassThatFailedAndRunsOfAMethodThatHasARowHaveEnded() {
    String method = "[class:A]/[test-template:m()]";
    assertThat(GpuTests.hasEnded(method, Set.of(method + "/[test-template-invocation:#2]")))
        .isTrue();
    assertThat(GpuTests.hasEnded(method, Set.of("[class:A]"))).isTrue();
    assertThat(GpuTests.hasEnded(method, Set.of("[class:A]/[test-template:n()]"))).isFalse();
    assertThat(GpuTests.hasEnded(method, Set.of())).isFalse();
  }
}
