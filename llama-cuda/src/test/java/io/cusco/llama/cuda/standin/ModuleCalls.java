package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_IMAGE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_PTX;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_VALUE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_NOT_FOUND;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import io.cusco.llama.cuda.emulator.LoadedModule;
import io.cusco.llama.cuda.emulator.PtxException;
import io.cusco.llama.cuda.emulator.PtxKernel;
import io.cusco.llama.cuda.emulator.PtxModule;
import io.cusco.llama.cuda.emulator.PtxParameter;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;

/// Modules and functions. An image is PTX text; there is nothing here that could run a cubin.
final class ModuleCalls {
  private static final Pattern VERSION = Pattern.compile("(?m)^\\s*\\.version\\s+(\\d+)\\.(\\d+)");
  private static final Pattern TARGET = Pattern.compile("(?m)^\\s*\\.target\\s+sm_(\\d+)([af]?)");

  /// The driver version that first took a PTX version (PTX ISA, "Release Notes"), as 10 x major +
  /// minor.
  private static final TreeMap<Integer, Integer> PTX_VERSION_OF_DRIVER =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry(11000, 70),
              Map.entry(11080, 78),
              Map.entry(12000, 80),
              Map.entry(12010, 81),
              Map.entry(12020, 82),
              Map.entry(12030, 83),
              Map.entry(12040, 84),
              Map.entry(12050, 85),
              Map.entry(12070, 86),
              Map.entry(12080, 87),
              Map.entry(12090, 88),
              Map.entry(13000, 90)));

  private final StandIn standIn;

  /// Texts parsed so far: every test loads the same few.
  private final Map<String, PtxModule> parsed = new HashMap<>();

  ModuleCalls(StandIn standIn) {
    this.standIn = standIn;
  }

  /// What reports call a module: a driver gets a text without a name.
  static String moduleName(String text) {
    CRC32 checksum = new CRC32();
    checksum.update(text.getBytes(StandardCharsets.UTF_8));
    return "ptx-%08x".formatted(checksum.getValue());
  }

  int cuModuleLoadData(MemorySegment module, MemorySegment image) {
    load(module, image);
    return 0;
  }

  /// Takes any options and heeds those of the two logs.
  int cuModuleLoadDataEx(
      MemorySegment module,
      MemorySegment image,
      int numOptions,
      MemorySegment options,
      MemorySegment values) {
    String log = "";
    try {
      load(module, image);
    } catch (StandInFault fault) {
      log = fault.getMessage();
      throw fault;
    } finally {
      JitLogs logs = JitLogs.of(numOptions, options, values);
      logs.writeError(log);
      logs.writeInfo("");
    }
    return 0;
  }

  private void load(MemorySegment module, MemorySegment image) {
    SimulatedContext context = standIn.gpu().context();
    context.queues().rejectUnsafeDuringCapture("cuModuleLoadData");
    String text = text(image);
    checkVersion(text);
    checkTarget(text);
    try {
      PtxModule ptx = parsed.computeIfAbsent(text, t -> PtxModule.parse(moduleName(t), t));
      LoadedModule loaded = context.emulator().load(ptx);
      HostMemory.putPointer(
          module, standIn.gpu().handles().register(new SimulatedModule(ptx, loaded)));
    } catch (PtxException e) {
      throw new StandInFault(CUDA_ERROR_INVALID_PTX, e.getMessage());
    }
  }

  private static String text(MemorySegment image) {
    int magic = HostMemory.getInt(image, "image");
    StandInFault.require(
        magic != 0x464c457f && magic != 0xba55ed50,
        CUDA_ERROR_INVALID_IMAGE,
        "the image is a cubin or fatbin; the emulator takes PTX text");
    return HostMemory.getString(image, "image");
  }

  private void checkVersion(String text) {
    Matcher matcher = VERSION.matcher(text);
    StandInFault.require(matcher.find(), CUDA_ERROR_INVALID_PTX, "the text has no .version");
    int version = 10 * Integer.parseInt(matcher.group(1)) + Integer.parseInt(matcher.group(2));
    int driver = standIn.gpu().settings().driverVersion();
    Map.Entry<Integer, Integer> newest = PTX_VERSION_OF_DRIVER.floorEntry(driver);
    StandInFault.require(
        newest != null && version <= newest.getValue(),
        CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
        "Unsupported .version %s.%s: a driver of version %s takes no newer than %s",
        version / 10,
        version % 10,
        driver,
        newest == null ? "none" : newest.getValue() / 10.0);
  }

  private void checkTarget(String text) {
    Matcher matcher = TARGET.matcher(text);
    StandInFault.require(matcher.find(), CUDA_ERROR_INVALID_PTX, "the text has no .target sm_");
    int target = Integer.parseInt(matcher.group(1));
    StandInSettings settings = standIn.gpu().settings();
    int device = 10 * settings.computeMajor() + settings.computeMinor();
    boolean exact = !matcher.group(2).isEmpty();
    StandInFault.require(
        exact ? target == device : target <= device,
        CUDA_ERROR_INVALID_PTX,
        ".target sm_%s%s cannot be compiled for compute capability %s.%s",
        target,
        matcher.group(2),
        settings.computeMajor(),
        settings.computeMinor());
  }

  private SimulatedModule module(MemorySegment handle) {
    standIn.gpu().context();
    return standIn.gpu().handles().get(handle, SimulatedModule.class);
  }

  private SimulatedFunction function(MemorySegment handle) {
    standIn.gpu().context();
    return standIn.gpu().handles().get(handle, SimulatedFunction.class);
  }

  /// Unloads at once, as the driver does: work still queued with its kernels fails.
  int cuModuleUnload(MemorySegment module) {
    SimulatedModule unloaded = module(module);
    SimulatedContext context = standIn.gpu().context();
    context.queues().rejectUnsafeDuringCapture("cuModuleUnload");
    unloaded.unloaded = true;
    standIn.gpu().handles().remove(module, SimulatedModule.class);
    for (MemorySegment function : unloaded.functions.values()) {
      standIn.gpu().handles().remove(function, SimulatedFunction.class);
    }
    unloaded.loaded.unload();
    return 0;
  }

  int cuModuleGetFunction(MemorySegment function, MemorySegment module, MemorySegment name) {
    SimulatedModule owner = module(module);
    String wanted = HostMemory.getString(name, "name");
    for (PtxKernel kernel : owner.ptx.kernels()) {
      if (kernel.name().equals(wanted)) {
        HostMemory.putPointer(
            function,
            owner.functions.computeIfAbsent(
                wanted,
                _ -> standIn.gpu().handles().register(new SimulatedFunction(owner, kernel))));
        return 0;
      }
    }
    throw new StandInFault(
        CUDA_ERROR_NOT_FOUND,
        "no kernel %s, only %s"
            .formatted(wanted, owner.ptx.kernels().stream().map(PtxKernel::name).toList()));
  }

  int cuModuleGetGlobal_v2(
      MemorySegment address, MemorySegment numBytes, MemorySegment module, MemorySegment name) {
    SimulatedModule owner = module(module);
    String wanted = HostMemory.getString(name, "name");
    try {
      if (address.address() != 0) {
        HostMemory.putLong(address, owner.loaded.globalAddress(wanted));
      }
      if (numBytes.address() != 0) {
        HostMemory.putLong(numBytes, owner.loaded.globalBytes(wanted));
      }
    } catch (IllegalArgumentException e) {
      throw new StandInFault(CUDA_ERROR_NOT_FOUND, e.getMessage());
    }
    return 0;
  }

  /// Registers are those of the PTX, which ptxas would map to fewer: at most 255.
  int cuFuncGetAttribute(MemorySegment value, int attribute, MemorySegment function) {
    SimulatedFunction f = function(function);
    int computeCapability =
        10 * standIn.gpu().settings().computeMajor() + standIn.gpu().settings().computeMinor();
    Map<Integer, Integer> known =
        Map.of(
            CudaDriver.CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK(), f.kernel.maxThreadsPerBlock(),
            CudaDriver.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES(), f.kernel.staticSharedBytes(),
            CudaDriver.CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES(), 0,
            CudaDriver.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES(), f.kernel.localBytes(),
            CudaDriver.CU_FUNC_ATTRIBUTE_NUM_REGS(), Math.min(255, f.kernel.numVirtualRegisters()),
            CudaDriver.CU_FUNC_ATTRIBUTE_BINARY_VERSION(), computeCapability,
            CudaDriver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES(), f.maxDynamicSharedBytes);
    StandInFault.require(
        known.containsKey(attribute),
        CUDA_ERROR_INVALID_VALUE,
        "function attribute %s is not known here",
        attribute);
    HostMemory.putInt(value, known.get(attribute));
    return 0;
  }

  int cuFuncSetAttribute(MemorySegment function, int attribute, int value) {
    SimulatedFunction f = function(function);
    if (attribute == CudaDriver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES()) {
      int limit = standIn.gpu().settings().sharedBytesOptIn() - f.kernel.staticSharedBytes();
      StandInFault.require(
          value >= 0 && value <= limit,
          CUDA_ERROR_INVALID_VALUE,
          "kernel %s: %s bytes of dynamic shared memory, the device leaves %s beside the static ones",
          f.kernel.name(),
          value,
          limit);
      f.maxDynamicSharedBytes = value;
    } else {
      StandInFault.require(
          attribute == CudaDriver.CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT()
              && value >= -1
              && value <= 100,
          CUDA_ERROR_INVALID_VALUE,
          "function attribute %s cannot be set to %s",
          attribute,
          value);
    }
    return 0;
  }

  int cuFuncGetParamInfo(
      MemorySegment function, long index, MemorySegment offset, MemorySegment numBytes) {
    List<PtxParameter> parameters = function(function).kernel.parameters();
    StandInFault.require(
        index >= 0 && index < parameters.size(),
        CUDA_ERROR_INVALID_VALUE,
        "parameter %s of %s",
        index,
        parameters.size());
    PtxParameter parameter = parameters.get((int) index);
    HostMemory.putLong(offset, parameter.offset());
    if (numBytes.address() != 0) {
      HostMemory.putLong(numBytes, parameter.numBytes());
    }
    return 0;
  }
}
