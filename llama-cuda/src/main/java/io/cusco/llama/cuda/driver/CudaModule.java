package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/// Kernels of one PTX text, translated by the driver for its device. Used on the context's thread.
public final class CudaModule implements AutoCloseable {
  /// Room for the translator's messages; what does not fit is cut off by the driver.
  private static final int LOG_BYTES = 16 * 1024;

  private final CudaContext context;
  private final String name;
  private final Handle handle;
  private final Map<String, PtxSignature> signatures;

  private CudaModule(
      CudaContext context,
      String name,
      MemorySegment handle,
      Map<String, PtxSignature> signatures) {
    this.context = context;
    this.name = name;
    this.handle = new Handle(context, "module " + name, handle);
    this.signatures = signatures;
  }

  /// Translates and loads a PTX text.
  ///
  /// @param name for messages: the file's name
  /// @throws CudaException with the translator's log if the driver refuses the text
  public static CudaModule load(CudaContext context, String name, String ptx) {
    Map<String, PtxSignature> signatures =
        PtxSignature.parse(ptx).stream()
            .collect(Collectors.toUnmodifiableMap(PtxSignature::kernel, Function.identity()));
    context.checkUsable();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment log = arena.allocate(LOG_BYTES);
      MemorySegment options = arena.allocate(JAVA_INT, 2);
      options.setAtIndex(JAVA_INT, 0, CudaDriver.CU_JIT_ERROR_LOG_BUFFER());
      options.setAtIndex(JAVA_INT, 1, CudaDriver.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES());
      // Each value is a pointer or a number in a pointer's place.
      MemorySegment values = arena.allocate(ADDRESS, 2);
      values.setAtIndex(ADDRESS, 0, log);
      values.setAtIndex(ADDRESS, 1, MemorySegment.ofAddress(LOG_BYTES));
      MemorySegment module = arena.allocate(ADDRESS);
      int result =
          CudaDriver.cuModuleLoadDataEx(module, arena.allocateFrom(ptx), 2, options, values);
      if (result != CudaDriver.CUDA_SUCCESS()) {
        throw Status.driverFailure(
            result, "cuModuleLoadDataEx", context.label(), detail(name, log.getString(0)));
      }
      return new CudaModule(context, name, module.get(ADDRESS, 0), signatures);
    }
  }

  private static String detail(String name, String log) {
    return "; module %s%s".formatted(name, log.isBlank() ? "" : ":\n" + log.strip());
  }

  /// A kernel by name, to be launched with arguments of these types.
  ///
  /// @throws LlamaException if there is no such kernel or its parameters in the PTX are others
  public CudaFunction function(String kernel, ParameterType... parameters) {
    MemorySegment module = handle.get();
    PtxSignature signature = signatures.get(kernel);
    if (signature == null) {
      throw new LlamaException(
          "module %s has no kernel %s; it has %s"
              .formatted(name, kernel, signatures.keySet().stream().sorted().toList()));
    }
    List<ParameterType> types = List.of(parameters);
    signature.require(types);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment function = arena.allocate(ADDRESS);
      context.check(
          CudaDriver.cuModuleGetFunction(function, module, arena.allocateFrom(kernel)),
          "cuModuleGetFunction");
      CudaFunction result =
          new CudaFunction(context, this, signature, types, function.get(ADDRESS, 0));
      result.checkAgainstDriver();
      return result;
    }
  }

  public String name() {
    return name;
  }

  void checkUsable() {
    handle.get();
  }

  @Override
  public void close() {
    handle
        .release()
        .ifPresent(pointer -> context.check(CudaDriver.cuModuleUnload(pointer), "cuModuleUnload"));
  }
}
