package io.cusco.llama.cli;

import com.sun.management.OperatingSystemMXBean;
import io.cusco.llama.backend.Availability;
import io.cusco.llama.backend.BackendProvider;
import io.cusco.llama.backend.Backends;
import io.cusco.llama.cli.demo.DemoModel;
import io.cusco.llama.cli.json.Json;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import jdk.incubator.vector.FloatVector;

/// What `doctor` found.
///
/// @param facts what is here, name to value, in order
/// @param backends every backend on the path with its answer
/// @param missing what is not here and how to get it, backends apart: they say it themselves
record Diagnosis(Map<String, Object> facts, List<BackendState> backends, List<String> missing) {

  /// @param summary the device, or why it is unavailable
  /// @param details what it looked for and found
  record BackendState(String name, boolean available, String summary, List<String> details) {}

  private static final Path NVIDIA_DRIVER = Path.of("/proc/driver/nvidia");

  static Diagnosis make() {
    Map<String, Object> facts = new LinkedHashMap<>();
    List<String> missing = new ArrayList<>();
    addJava(facts, missing);
    addMachine(facts);
    addNvidia(facts);
    DemoModel.numBytes()
        .ifPresentOrElse(
            bytes -> facts.put("demo_model", "bundled, " + Units.bytes(bytes)),
            () -> {
              facts.put("demo_model", "not in this build");
              missing.add("the bundled demo model: name a model with -m");
            });
    Path hub = ModelResolver.ofSystem().hubCache();
    facts.put("hub_cache", hub + (Files.isDirectory(hub) ? "" : " (does not exist)"));
    List<BackendState> backends = Backends.providers().stream().map(Diagnosis::state).toList();
    if (backends.isEmpty()) {
      missing.add("every backend: put llama-cpu-fallback on the module path");
    }
    return new Diagnosis(facts, backends, missing);
  }

  boolean canRun() {
    return backends.stream().anyMatch(BackendState::available);
  }

  private static BackendState state(BackendProvider provider) {
    return switch (provider.probe()) {
      case Availability.Available(String description, List<String> details) ->
          new BackendState(provider.name(), true, description, details);
      case Availability.Unavailable(String reason, List<String> details) ->
          new BackendState(provider.name(), false, reason, details);
    };
  }

  private static void addJava(Map<String, Object> facts, List<String> missing) {
    facts.put("java_version", System.getProperty("java.runtime.version"));
    facts.put("java_vendor", System.getProperty("java.vendor"));
    facts.put("java_home", System.getProperty("java.home"));
    facts.put("max_heap_bytes", Runtime.getRuntime().maxMemory());
    if (hasVectorApi()) {
      facts.put("vector_bits", FloatVector.SPECIES_PREFERRED.vectorBitSize());
    } else {
      facts.put("vector_bits", 0);
      missing.add("the Vector API: start Java with --add-modules jdk.incubator.vector");
    }
  }

  /// Without it, which the class path allows, no class that uses it may load.
  static boolean hasVectorApi() {
    return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
  }

  private static void addMachine(Map<String, Object> facts) {
    facts.put(
        "os", "%s %s".formatted(System.getProperty("os.name"), System.getProperty("os.version")));
    facts.put("arch", System.getProperty("os.arch"));
    firstValue(Path.of("/proc/cpuinfo"), "model name").ifPresent(cpu -> facts.put("cpu", cpu));
    facts.put("cores", Runtime.getRuntime().availableProcessors());
    // Both honour a container's limits.
    OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    facts.put("memory_bytes", system.getTotalMemorySize());
    facts.put("free_memory_bytes", system.getFreeMemorySize());
  }

  /// The kernel's side of the driver; the libraries are the CUDA backend's to find.
  private static void addNvidia(Map<String, Object> facts) {
    facts.put(
        "nvidia_driver",
        firstValue(NVIDIA_DRIVER.resolve("version"), "NVRM version").orElse("none found"));
    List<String> gpus = new ArrayList<>();
    try (Stream<Path> folders = Files.list(NVIDIA_DRIVER.resolve("gpus"))) {
      folders
          .sorted()
          .forEach(gpu -> firstValue(gpu.resolve("information"), "Model").ifPresent(gpus::add));
    } catch (IOException e) {
      // No such folder: no driver, which is said above.
    }
    facts.put("gpus", gpus.isEmpty() ? "none found" : String.join(", ", gpus));
  }

  /// The value of the first line `key : value` of a system file.
  private static java.util.Optional<String> firstValue(Path file, String key) {
    try (Stream<String> lines = Files.lines(file)) {
      return lines
          .filter(line -> line.startsWith(key) && line.contains(":"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst();
    } catch (IOException | java.io.UncheckedIOException e) {
      return java.util.Optional.empty();
    }
  }

  String toJson() {
    return Json.object(json -> {
      facts.forEach((name, value) -> {
        switch (value) {
          case Integer number -> json.writeNumberProperty(name, number);
          case Long number -> json.writeNumberProperty(name, number);
          default -> json.writeStringProperty(name, value.toString());
        }
      });
      json.writeArrayPropertyStart("backends");
      for (BackendState backend : backends) {
        json.writeStartObject();
        json.writeStringProperty("name", backend.name());
        json.writeBooleanProperty("available", backend.available());
        json.writeStringProperty(backend.available() ? "device" : "reason", backend.summary());
        json.writeArrayPropertyStart("details");
        backend.details().forEach(json::writeString);
        json.writeEndArray();
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeArrayPropertyStart("missing");
      missing.forEach(json::writeString);
      json.writeEndArray();
    });
  }

  String toText() {
    StringBuilder text = new StringBuilder();
    facts.forEach((name, value) -> {
      String shown = name.endsWith("_bytes") ? Units.bytes((Long) value) : value.toString();
      String label = name.replace("_bytes", "").replace('_', ' ');
      text.append(String.format(Locale.ROOT, "%-16s %s%n", label, shown));
    });
    for (BackendState backend : backends) {
      text.append(
          String.format(
              Locale.ROOT,
              "backend %-8s %s: %s%n",
              backend.name(),
              backend.available() ? "works" : "unavailable",
              backend.summary()));
      backend.details().forEach(line -> text.append("  ").append(line).append('\n'));
    }
    if (!missing.isEmpty()) {
      text.append("missing:\n");
      missing.forEach(line -> text.append("  ").append(line).append('\n'));
    }
    return text.toString();
  }
}
