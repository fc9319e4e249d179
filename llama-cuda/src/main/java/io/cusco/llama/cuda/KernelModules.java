package io.cusco.llama.cuda;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaModule;
import io.cusco.llama.cuda.driver.ParameterType;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/// The PTX of all kernels, loaded into one context: once, for any number of models. Kernels that
/// only newer GPUs run are loaded when one is first asked for. Used on the context's thread; closed
/// after the [CudaKernels] made from it.
final class KernelModules implements AutoCloseable {

  /// One PTX file each, next to this class; made by `scripts/build-ptx` from `src/main/cuda`.
  enum Family {
    ADD_BIAS,
    ARGMAX,
    ATTENTION,
    ATTENTION_FP8,
    DECODE_ATTENTION,
    DECODE_ATTENTION_FP8,
    DEQUANTIZE,
    EMBED_GATHER,
    GEMV,
    GEMV_BLOCKS,
    GEMV_FP8,
    PREFILL_ATTENTION,
    PREFILL_ATTENTION_FP8,
    QUANTIZE_FP8,
    RMS_NORM,
    ROPE_AND_STORE_KV,
    ROPE_AND_STORE_KV_FP8,
    SAMPLING,
    SILU_MUL;

    /// Whether its PTX has FP8 instructions: `.target sm_89`, PTX ISA 8.1 (`scripts/build-ptx`).
    boolean fp8() {
      return name().endsWith("_FP8");
    }

    String fileName() {
      return name().toLowerCase(Locale.ROOT) + ".ptx";
    }
  }

  private final CudaContext context;
  private final Map<Family, CudaModule> modules = new EnumMap<>(Family.class);

  private KernelModules(CudaContext context) {
    this.context = context;
  }

  /// Lets the driver translate every family that every device runs; drivers keep the result for
  /// later runs.
  ///
  /// @throws io.cusco.llama.cuda.driver.CudaException if the driver refuses one
  static KernelModules load(CudaContext context) {
    KernelModules loaded = onDemand(context);
    try {
      for (Family family : Family.values()) {
        if (!family.fp8()) {
          loaded.module(family);
        }
      }
      return loaded;
    } catch (RuntimeException | Error e) {
      loaded.close();
      throw e;
    }
  }

  /// Every family is translated when one of its kernels is first asked for.
  static KernelModules onDemand(CudaContext context) {
    return new KernelModules(context);
  }

  private CudaModule module(Family family) {
    return modules.computeIfAbsent(
        family, missing -> CudaModule.load(context, missing.fileName(), ptx(missing)));
  }

  /// The PTX text of a family.
  static String ptx(Family family) {
    try (InputStream in = KernelModules.class.getResourceAsStream(family.fileName())) {
      if (in == null) {
        throw new IllegalStateException(
            "%s is not beside %s: run scripts/build-ptx and build again"
                .formatted(family.fileName(), KernelModules.class.getName()));
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(family.fileName(), e);
    }
  }

  /// A kernel to be launched with arguments of these types, which are compared with the PTX's.
  ///
  /// @throws io.cusco.llama.cuda.driver.CudaException if the family is loaded now and the driver
  ///   refuses it
  KernelLaunch kernel(Family family, String kernel, ParameterType... parameters) {
    return new KernelLaunch(module(family).function(kernel, parameters));
  }

  @Override
  public void close() {
    modules.values().forEach(CudaModule::close);
  }
}
