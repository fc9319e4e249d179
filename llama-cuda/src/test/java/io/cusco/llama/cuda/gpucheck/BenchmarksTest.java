package io.cusco.llama.cuda.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.cuda.CudaBackendProvider;
import io.cusco.llama.cuda.ShippedKernels;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The benchmarks run through on the stand-in in tiny; what it takes for them says nothing.
@EmulatedGpu(compute = 90)
class BenchmarksTest {
  private static final Scale TINY = Scale.tiny();

  private static List<Measurement> models(TimeShare share) {
    List<Measurement> rows = new ArrayList<>();
    try (Backend backend = new CudaBackendProvider().open(BackendOptions.DEFAULT)) {
      Roofline roofline = new Roofline(4e12, 8e14, 16e14);
      new ModelBenchmark(backend, TINY.models(), Optional.of(roofline), share, rows::add).measure();
    }
    return rows;
  }

  @Test
  void everyRowOfModelsIsMeasuredAgainstTheRoofline() {
    List<Measurement> rows = models(new TimeShare(600));
    assertThat(rows)
        .extracting(Measurement::id)
        .containsExactly("D2", "D1", "D3", "D3", "P1", "D4", "D4", "P1");
    assertThat(rows).allMatch(row -> row.timing().isPresent(), "is measured");
    assertThat(rows).allMatch(row -> row.percentOf().get("roofline") > 0, "has a percentage");
    assertThat(rows).extracting(Measurement::name).contains(TINY.kernels().drawStep());
  }

  @Test
  void whatThereIsNoTimeForIsSaid() {
    TimeShare spent = new TimeShare(0);
    assertThat(models(spent))
        .hasSize(3)
        .allMatch(row -> row.timing().isEmpty() && row.remark().contains("share of 0 s"));
    assertThat(spent.hasLeftOut()).isTrue();
  }

  @Test
  void everyRowOfKernelsIsMeasuredAgainstWhatIsKnown(CudaContext context, @TempDir Path folder) {
    List<Measurement> rows = new ArrayList<>();
    KernelBenchmark.Sizes sizes = TINY.kernels();
    Measurement torch =
        Measurement.of(
            TorchAttention.ID,
            TorchAttention.Kind.FLASH.rowName(sizes.prefillName(32)),
            "gpu",
            new Timing(new double[] {1}),
            1e9,
            "FLOP/s");
    new KernelBenchmark(
            context,
            sizes,
            Findings.read(folder.resolve("none")),
            List.of(torch),
            new TimeShare(600),
            rows::add)
        .measure();
    assertThat(rows).extracting(Measurement::id).containsExactly("K1", "K1", "K2", "K2", "K3");
    assertThat(rows).allMatch(row -> row.timing().isPresent(), "is measured");
    assertThat(rows.get(2).percentOf()).containsOnlyKeys(TorchAttention.Kind.FLASH.text());
    assertThat(rows.get(3).percentOf()).isEmpty();
  }

  @Test
  void whatFailsIsToldAndTheRestMeasured(CudaContext context, @TempDir Path folder) {
    KernelBenchmark.Sizes tiny = TINY.kernels();
    // No vocabulary of the sampling kernel is so large.
    KernelBenchmark.Sizes sizes =
        new KernelBenchmark.Sizes(
            tiny.heads(),
            tiny.keyValueHeads(),
            tiny.headDim(),
            tiny.decodeBatch(),
            tiny.decodeContext(),
            tiny.prefillTokens(),
            List.of(),
            tiny.drawRows(),
            1 << 20,
            tiny.drawStep(),
            tiny.warmUps(),
            tiny.runs());
    List<Measurement> rows = new ArrayList<>();
    boolean allRan =
        new KernelBenchmark(
                context,
                sizes,
                Findings.read(folder.resolve("none")),
                List.of(),
                new TimeShare(600),
                rows::add)
            .measure();
    assertThat(allRan).isFalse();
    assertThat(rows).extracting(Measurement::id).containsExactly("K1", "K1", "K3");
    assertThat(rows.getFirst().timing()).isPresent();
    assertThat(rows.getLast().remark()).startsWith("failed: ");
  }

  /// Where all values are equal, so is every weighted mean of them; cache and outputs start as
  /// memory that nothing has written.
  @ParameterizedTest
  @EnumSource(KvType.class)
  void theTimedAttentionWritesEveryOutput(KvType kvType, CudaContext context) {
    KvCacheSpec cache = new KvCacheSpec(16, 9);
    StepInput step = BenchmarkStep.of(cache, 1, 3, 0, 3, 39, 1);
    try (ShippedKernels kernels = new ShippedKernels(context);
        CudaStream stream = CudaStream.create(context);
        ShippedKernels.Attention attention = kernels.attention(4, 2, 64, kvType, cache, step);
        Arena arena = Arena.ofConfined()) {
      List<ShippedKernels.Attention.Operand> operands = attention.operands();
      RandomFill.gaussian(operands.get(0).buffer(), operands.get(0).type(), 1, stream);
      RandomFill.gaussian(operands.get(1).buffer(), operands.get(1).type(), 1, stream);
      short half = (short) (Float.floatToRawIntBits(0.5f) >>> 16);
      // e4m3: an exponent of 6, with a bias of 7.
      int halves = kvType == KvType.FP8 ? 0x30303030 : half << 16 | half;
      DeviceBuffer values = operands.get(2).buffer();
      values.fillInts(halves, 0, values.numBytes() / 4, stream);
      attention.queue(stream);
      MemorySegment out = arena.allocate(attention.out().numBytes());
      attention.out().copyTo(out, 0);
      assertThat(out.toArray(ValueLayout.JAVA_SHORT)).containsOnly(half);
    }
  }
}
