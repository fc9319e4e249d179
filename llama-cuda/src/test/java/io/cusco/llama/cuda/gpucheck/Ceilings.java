package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cuda.driver.CublasLt;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.ElementType;
import io.cusco.llama.cuda.driver.Gemm;
import io.cusco.llama.cuda.driver.LtMatmul;
import io.cusco.llama.cuda.driver.LtMatmul.Operands;
import io.cusco.llama.cuda.driver.LtMatmul.Scaling;
import io.cusco.llama.cuda.driver.PinnedBuffer;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/// What this GPU can do at best, measured through the driver layer: the denominators of every
/// percentage that a run reports.
///
/// Copies are larger than any cache, products take random operands (a GPU multiplies zeros faster),
/// and operands rotate so that none stays in the cache.
final class Ceilings {
  /// cublasLt's advice for Hopper is 32 MiB; more buys nothing.
  private static final long WORKSPACE_BYTES = 32L << 20;

  /// Names that [Findings] looks for.
  static final String COPY = "copy, bytes read and written";

  static final String BF16_PRODUCT = "matmul bf16,";

  private final CudaContext context;
  private final Sizes sizes;

  Ceilings(CudaContext context, Sizes sizes) {
    this.context = context;
    this.sizes = sizes;
  }

  /// How much to measure.
  ///
  /// @param copyBytes device memory copied in one piece
  /// @param hostBytes pinned memory copied to the device in one piece
  /// @param side rows and columns of the square matrices
  /// @param repeats timed runs of each
  record Sizes(long copyBytes, long hostBytes, int side, int repeats) {
    /// Large enough for any GPU of today, a few gigabytes in all.
    static final Sizes REAL = new Sizes(4L << 30, 256L << 20, 8192, 20);
  }

  /// One measured rate, or why there is none.
  ///
  /// @param name "matmul bf16 8192"
  /// @param unit "B/s" or "FLOP/s"; 0 is the value where `problem` says why there is none
  record Rate(String name, double median, double best, double worst, String unit, String problem) {
    Map<String, Object> row() {
      Map<String, Object> row = Rows.of("name", name, "unit", unit);
      if (problem.isEmpty()) {
        Rows.put(row, "median", median);
        Rows.put(row, "best", best);
        Rows.put(row, "worst", worst);
      } else {
        row.put("problem", problem);
      }
      return row;
    }

    /// One line for the log.
    String line() {
      return problem.isEmpty()
          ? String.format(
              Locale.ROOT,
              "%s: %.2f T%s (%.2f..%.2f)",
              name,
              median / 1e12,
              unit,
              worst / 1e12,
              best / 1e12)
          : "%s: none, %s".formatted(name, problem);
    }

    static Rate of(String name, double work, Timing timing, String unit) {
      return new Rate(
          name, work / timing.median(), work / timing.fastest(), work / timing.slowest(), unit, "");
    }
  }

  /// @param found gets each rate as soon as it is known
  void measure(TimeShare share, Consumer<Rate> found) {
    try (CudaStream stream = CudaStream.create(context)) {
      GpuTimer timer = new GpuTimer(stream, 3, sizes.repeats);
      found.accept(attempt(COPY, "B/s", share, () -> copy(stream, timer)));
      found.accept(attempt("pinned host to device", "B/s", share, () -> upload(stream, timer)));
      for (Product product : Product.values()) {
        found.accept(
            attempt(
                product.label(sizes.side), "FLOP/s", share, () -> matmul(product, stream, timer)));
      }
    }
  }

  private interface Attempt {
    Rate run();
  }

  /// A mode that this GPU or its cuBLAS does not have is a finding, not a failure of the run.
  private static Rate attempt(String name, String unit, TimeShare share, Attempt attempt) {
    if (share.isSpent()) {
      return new Rate(name, 0, 0, 0, unit, share.leaveOut());
    }
    try {
      return attempt.run();
    } catch (LlamaException e) {
      return new Rate(name, 0, 0, 0, unit, String.valueOf(e.getMessage()));
    }
  }

  private Rate copy(CudaStream stream, GpuTimer timer) {
    long numBytes = Math.min(sizes.copyBytes, context.freeBytes() / 4);
    try (DeviceBuffer from = DeviceBuffer.allocate(context, "copy source", numBytes);
        DeviceBuffer to = DeviceBuffer.allocate(context, "copy target", numBytes)) {
      RandomFill.uniform(from, ElementType.F32, stream);
      return Rate.of(
          COPY, 2.0 * numBytes, timer.time(_ -> to.copyFrom(from, 0, 0, numBytes, stream)), "B/s");
    }
  }

  private Rate upload(CudaStream stream, GpuTimer timer) {
    try (PinnedBuffer host = PinnedBuffer.allocate(context, sizes.hostBytes);
        DeviceBuffer to = DeviceBuffer.allocate(context, "upload target", sizes.hostBytes)) {
      host.segment().fill((byte) 1);
      return Rate.of(
          "pinned host to device",
          (double) sizes.hostBytes,
          timer.time(_ -> to.copyFrom(host.segment(), 0, stream)),
          "B/s");
    }
  }

  /// The products that decide how the model multiplies.
  private enum Product {
    F32(ElementType.F32, Scaling.NONE, false, "f32"),
    TF32(ElementType.F32, Scaling.NONE, true, "tf32"),
    F16(ElementType.F16, Scaling.NONE, false, "f16"),
    BF16(ElementType.BF16, Scaling.NONE, false, "bf16"),
    FP8_PER_TENSOR(ElementType.FP8_E4M3, Scaling.PER_TENSOR, false, "fp8 e4m3, scale per tensor"),
    FP8_PER_ROW(ElementType.FP8_E4M3, Scaling.PER_ROW, false, "fp8 e4m3, scale per row");

    private final ElementType input;
    private final Scaling scaling;
    private final boolean tensorFloat32;
    private final String text;

    Product(ElementType input, Scaling scaling, boolean tensorFloat32, String text) {
      this.input = input;
      this.scaling = scaling;
      this.tensorFloat32 = tensorFloat32;
      this.text = text;
    }

    String label(int side) {
      return "matmul %s, %d x %d x %d".formatted(text, side, side, side);
    }

    ElementType output() {
      return input == ElementType.FP8_E4M3 ? ElementType.BF16 : input;
    }
  }

  private Rate matmul(Product product, CudaStream stream, GpuTimer timer) {
    int side = sizes.side;
    long inputBytes = (long) side * side * product.input.numBytes();
    long outputBytes = (long) side * side * product.output().numBytes();
    Gemm gemm =
        new Gemm(
            false,
            true,
            side,
            side,
            side,
            product.input,
            product.output(),
            side,
            side,
            side,
            product.tensorFloat32);
    try (DeviceBuffer a = DeviceBuffer.allocate(context, "A", 2 * inputBytes);
        DeviceBuffer b = DeviceBuffer.allocate(context, "B", 2 * inputBytes);
        DeviceBuffer c = DeviceBuffer.allocate(context, "C", outputBytes);
        DeviceBuffer scales = DeviceBuffer.allocate(context, "scales", (long) side * Float.BYTES);
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", WORKSPACE_BYTES);
        CublasLt lt = CublasLt.create(context, workspace)) {
      RandomFill.uniform(a, product.input, stream);
      RandomFill.uniform(b, product.input, stream);
      scales.fillInts(Float.floatToRawIntBits(1f), 0, side, stream);
      LtMatmul matmul = new LtMatmul(gemm, false, product.scaling);
      Operands[] operands = new Operands[2];
      for (int i = 0; i < operands.length; i++) {
        long scale = product.scaling == Scaling.NONE ? 0 : scales.address();
        operands[i] =
            new Operands(
                a.address(i * inputBytes, inputBytes),
                b.address(i * inputBytes, inputBytes),
                c.address(),
                0,
                scale,
                scale);
      }
      lt.prepare(matmul, operands[0]);
      return Rate.of(
          product.label(side),
          2.0 * side * side * side,
          timer.time(i -> lt.matmul(matmul, 1, operands[i % operands.length], 0, stream)),
          "FLOP/s");
    }
  }
}
