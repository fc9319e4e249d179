package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// Turns what `-m` names into a path: a file or folder that exists, or a reference
/// `org/repo[:file]` into the local Hugging Face hub cache. Touches no network.
///
/// ```
/// <cache>/models--org--repo/refs/main            the revision's hash
/// <cache>/models--org--repo/snapshots/<hash>/    the files, as links into blobs/
/// ```
///
/// Source: huggingface_hub, "Understand caching".
final class ModelResolver {
  private static final Pattern HUB_REFERENCE =
      Pattern.compile("([A-Za-z0-9][\\w.-]*)/([A-Za-z0-9][\\w.-]*)(?::(.+))?");
  private static final Pattern REVISION = Pattern.compile("[\\w.-]*\\w[\\w.-]*");

  private final Map<String, String> environment;
  private final Path home;

  ModelResolver(Map<String, String> environment, Path home) {
    this.environment = environment;
    this.home = home;
  }

  static ModelResolver ofSystem() {
    return new ModelResolver(System.getenv(), Path.of(System.getProperty("user.home")));
  }

  /// The hub cache's folder, whether it exists or not.
  Path hubCache() {
    return folder("HF_HUB_CACHE")
        .or(() -> folder("HF_HOME").map(hfHome -> hfHome.resolve("hub")))
        .or(() ->
            folder("XDG_CACHE_HOME").map(cache -> cache.resolve("huggingface").resolve("hub")))
        .orElseGet(() -> home.resolve(".cache").resolve("huggingface").resolve("hub"));
  }

  /// @throws LlamaException if there is no such file or folder and the cache does not have it
  Path resolve(String model) {
    Optional<Path> path = existing(model);
    if (path.isPresent()) {
      return path.get();
    }
    Matcher reference = HUB_REFERENCE.matcher(model);
    if (!reference.matches()) {
      throw new LlamaException("model '%s': no such file or folder".formatted(model));
    }
    Path repository =
        hubCache().resolve("models--%s--%s".formatted(reference.group(1), reference.group(2)));
    if (!Files.isDirectory(repository)) {
      throw new LlamaException(
          ("model '%s': no such file or folder, and not in the Hugging Face cache (%s);"
                  + " download it there first, for example with: hf download %s/%s")
              .formatted(model, hubCache(), reference.group(1), reference.group(2)));
    }
    Path snapshot = snapshot(model, repository);
    return reference.group(3) == null
        ? onlyModel(model, snapshot)
        : file(model, snapshot, reference.group(3));
  }

  private Optional<Path> folder(String variable) {
    String value = environment.get(variable);
    return value == null || value.isBlank() ? Optional.empty() : Optional.of(Path.of(value));
  }

  private static Optional<Path> existing(String model) {
    if (model.isEmpty()) {
      throw new LlamaException("-m names no model; leave it out for the bundled one");
    }
    try {
      return Optional.of(Path.of(model)).filter(Files::exists);
    } catch (InvalidPathException e) {
      return Optional.empty();
    }
  }

  private static Path snapshot(String model, Path repository) {
    Path ref = repository.resolve("refs").resolve("main");
    List<Path> snapshots = list(repository.resolve("snapshots"));
    if (Files.isRegularFile(ref)) {
      String revision = firstLine(ref);
      return snapshots.stream()
          .filter(s -> REVISION.matcher(revision).matches() && s.endsWith(revision))
          .findFirst()
          .orElseThrow(() ->
              new LlamaException(
                  "model '%s': %s names revision '%s', which is not among the %d downloaded"
                      .formatted(model, ref, revision, snapshots.size())));
    }
    if (snapshots.size() != 1) {
      throw new LlamaException(
          "model '%s': %s has no refs/main and %d revisions; name one of their folders with -m"
              .formatted(model, repository, snapshots.size()));
    }
    return snapshots.getFirst();
  }

  private static Path file(String model, Path snapshot, String name) {
    Path file = snapshot.resolve(name).normalize();
    if (!file.startsWith(snapshot) || !Files.exists(file)) {
      throw new LlamaException(
          "model '%s': the downloaded revision has no file '%s'; it has %s"
              .formatted(model, name, names(list(snapshot))));
    }
    return file;
  }

  private static Path onlyModel(String model, Path snapshot) {
    List<Path> files = list(snapshot);
    if (files.stream().anyMatch(f -> f.endsWith("config.json") || f.endsWith("params.json"))) {
      return snapshot;
    }
    List<Path> ggufs = files.stream().filter(f -> f.toString().endsWith(".gguf")).toList();
    if (ggufs.size() != 1) {
      throw new LlamaException(
          "model '%s': name one file as %s:FILE; the downloaded revision has %s"
              .formatted(model, model, names(files)));
    }
    return ggufs.getFirst();
  }

  private static String names(List<Path> files) {
    return String.join(", ", files.stream().map(f -> f.getFileName().toString()).toList());
  }

  private static String firstLine(Path file) {
    try {
      return Files.readString(file).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Path> list(Path folder) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
