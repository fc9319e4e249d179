package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Layout of the cache: huggingface_hub's documentation, "Understand caching".
class ModelResolverTest {
  @TempDir private Path home;
  private ModelResolver resolver;
  private Path cache;

  @BeforeEach
  void makeResolver() {
    resolver = new ModelResolver(Map.of(), home);
    cache = home.resolve(".cache/huggingface/hub");
  }

  private Path snapshot(String repository, String revision, String... files) throws IOException {
    Path folder = cache.resolve("models--" + repository).resolve("snapshots").resolve(revision);
    Files.createDirectories(folder);
    for (String file : files) {
      Files.createFile(folder.resolve(file));
    }
    return folder;
  }

  private void ref(String repository, String revision) throws IOException {
    Path ref = cache.resolve("models--" + repository).resolve("refs/main");
    Files.createDirectories(ref.getParent());
    Files.writeString(ref, revision);
  }

  @Test
  void aPathThatExistsNeedsNoCache() throws IOException {
    Path file = Files.createFile(home.resolve("m.gguf"));
    assertThat(resolver.resolve(file.toString())).isEqualTo(file);
  }

  @Test
  void theVariablesMoveTheCache() {
    assertThat(resolver.hubCache()).isEqualTo(cache);
    assertThat(new ModelResolver(Map.of("XDG_CACHE_HOME", "/x"), home).hubCache())
        .isEqualTo(Path.of("/x/huggingface/hub"));
    assertThat(new ModelResolver(Map.of("HF_HOME", "/h", "XDG_CACHE_HOME", "/x"), home).hubCache())
        .isEqualTo(Path.of("/h/hub"));
    assertThat(new ModelResolver(Map.of("HF_HUB_CACHE", "/c", "HF_HOME", "/h"), home).hubCache())
        .isEqualTo(Path.of("/c"));
  }

  @Test
  void mainSaysWhichSnapshotIsMeant() throws IOException {
    snapshot("org--repo", "aaa", "config.json");
    Path second = snapshot("org--repo", "bbb", "config.json", "model.safetensors");
    ref("org--repo", "bbb");
    assertThat(resolver.resolve("org/repo")).isEqualTo(second);
  }

  @Test
  void theOnlyGgufIsTaken() throws IOException {
    Path folder = snapshot("org--repo", "aaa", "README.md", "model-Q8_0.gguf");
    assertThat(resolver.resolve("org/repo")).isEqualTo(folder.resolve("model-Q8_0.gguf"));
  }

  @Test
  void oneOfSeveralGgufsHasToBeNamed() throws IOException {
    Path folder = snapshot("org--repo", "aaa", "a.gguf", "b.gguf");
    assertThatThrownBy(() -> resolver.resolve("org/repo"))
        .isInstanceOf(LlamaException.class)
        .hasMessageContainingAll("org/repo:FILE", "a.gguf, b.gguf");
    assertThat(resolver.resolve("org/repo:b.gguf")).isEqualTo(folder.resolve("b.gguf"));
  }

  @Test
  void aFileOutsideTheSnapshotIsRefused() throws IOException {
    snapshot("org--repo", "aaa", "a.gguf");
    Files.createFile(home.resolve("secret"));
    assertThatThrownBy(() -> resolver.resolve("org/repo:../../../../../../secret"))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("has no file");
  }

  @Test
  void aRevisionOutsideTheSnapshotsIsRefused() throws IOException {
    snapshot("org--repo", "aaa", "config.json");
    ref("org--repo", "../../..");
    assertThatThrownBy(() -> resolver.resolve("org/repo"))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("names revision '../../..'");
  }

  @Test
  void whatIsNotCachedSaysHowToGetIt() {
    assertThatThrownBy(() -> resolver.resolve("org/repo"))
        .isInstanceOf(LlamaException.class)
        .hasMessageContainingAll("org/repo", cache.toString(), "hf download");
  }

  @Test
  void namesThatAreNoPathsAreRefused() {
    for (String model : new String[] {"", "a\0b", "../x/y", "a b/c", "/no/such/folder"}) {
      assertThatThrownBy(() -> resolver.resolve(model)).isInstanceOf(LlamaException.class);
    }
  }
}
