package io.cusco.llama.cpu.kernels;

import java.lang.foreign.Arena;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// Times the calls that [KernelCasesTest] checks, from the caches of one core. Not run in the
/// build; CONTRIBUTING.md has the command. What the memory does to a kernel `llama bench` tells.
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(2)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class KernelBenchmark {
  /// A name of [KernelCases]; those of the types that most models have.
  @Param({
    "gemv-BF16",
    "gemv-Q8_0",
    "gemv-Q4_0",
    "gemv-Q4_K",
    "gemv-Q6_K",
    "widen-BF16",
    "widen-Q8_0",
    "widen-Q4_0",
    "widen-Q4_K",
    "widen-Q6_K",
    "multiplyRows-BF16",
    "multiplyRows-Q8_0",
    "multiplyRows-Q4_0",
    "gemvPacked-Q4_0",
    "gemvPacked-Q4_1",
    "gemvPacked-Q5_0",
    "gemvPacked-Q5_1",
    "gemvPacked-Q4_K",
    "gemvPacked-Q5_K",
    "gemvPacked-Q6_K",
    "quantize",
    "gemvInterleaved",
    "multiplyInterleaved",
    "widenInterleaved",
    "multiplyPanel",
    "multiplyPanelAhead",
    "gather",
    "multiplyTokens",
    "rmsNorm",
    "siluMul",
    "attendTile-F32",
    "attendTile-F16",
    "weighRow",
    "widenRows"
  })
  public String name;

  @Param({"vector", "scalar"})
  public String kernels;

  private Arena arena;
  private KernelCases.Case call;

  @Setup(Level.Trial)
  public void open() {
    arena = Arena.ofShared();
    Kernels chosen = kernels.equals("vector") ? new VectorKernels() : new ScalarKernels();
    call = KernelCases.of(name, chosen, arena);
  }

  @TearDown(Level.Trial)
  public void close() {
    arena.close();
  }

  @Benchmark
  public void run() {
    call.run();
  }
}
