package io.cusco.llama.backend;

import io.cusco.llama.LlamaException;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Finds backends with `ServiceLoader` and picks one.
public final class Backends {
  /// Takes the best backend that works here.
  public static final String AUTO = "auto";

  private static final Logger LOG = LoggerFactory.getLogger(Backends.class);

  private Backends() {}

  /// All backends on the module or class path, best first.
  public static List<BackendProvider> providers() {
    return ServiceLoader.load(BackendProvider.class).stream()
        .map(ServiceLoader.Provider::get)
        .sorted(Comparator.comparingInt(BackendProvider::priority).reversed())
        .toList();
  }

  /// Opens the backend called `name`, or with [#AUTO] the best one that is available; a backend
  /// that the automatic choice passes over gets one log line with its reason.
  ///
  /// @throws LlamaException if there is no such backend or it is unavailable, with all that was
  ///   looked for
  public static Backend open(String name, BackendOptions options) {
    List<BackendProvider> providers = providers();
    for (BackendProvider provider : providers) {
      boolean chosen = provider.name().equals(name);
      if (!chosen && !name.equals(AUTO)) {
        continue;
      }
      switch (provider.probe()) {
        case Availability.Available _ -> {
          return provider.open(options);
        }
        case Availability.Unavailable(String reason, List<String> details) -> {
          if (chosen) {
            String looked = details.isEmpty() ? "" : " (" + String.join("; ", details) + ")";
            throw new LlamaException(
                "backend %s is unavailable: %s%s".formatted(name, reason, looked));
          }
          LOG.info("backend {} is unavailable: {}", provider.name(), reason);
        }
      }
    }
    String known = providers.stream().map(BackendProvider::name).collect(Collectors.joining(", "));
    throw new LlamaException(
        name.equals(AUTO)
            ? "no backend is available; found on the path: " + (known.isEmpty() ? "none" : known)
            : "no backend is called '%s'; found on the path: %s".formatted(name, known));
  }
}
