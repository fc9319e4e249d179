package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// Runs `scripts/llama` in a copy of the repository's layout, with a `java` and a `mvnw` that only
/// print what they are asked to do.
@EnabledOnOs({OS.LINUX, OS.MAC})
class LauncherTest {
  @TempDir private Path folder;
  private Path repository;
  private Path jar;

  @BeforeEach
  void layOut() throws IOException {
    repository = folder.resolve("a repository");
    Path scripts = Files.createDirectories(repository.resolve("scripts"));
    for (String script : List.of("llama", "find-jdk.sh")) {
      Files.copy(
          Path.of(System.getProperty("llama.scripts"), script),
          scripts.resolve(script),
          StandardCopyOption.COPY_ATTRIBUTES);
    }
    Files.createFile(repository.resolve("pom.xml"));
    for (String module : List.of("llama-core", "llama-cli")) {
      Files.createDirectories(repository.resolve(module).resolve("src/main/java"));
      Files.createFile(repository.resolve(module).resolve("pom.xml"));
      Files.createFile(repository.resolve(module).resolve("src/main/java/A.java"));
    }
    jar = repository.resolve("llama-cli/target/llama-cli.jar");
    script(
        repository.resolve("mvnw"),
        """
        echo "building with $JAVA_HOME in $PWD: $*"
        mkdir -p llama-cli/target/lib
        touch llama-cli/target/llama-cli.jar
        """);
  }

  private static void script(Path file, String body) throws IOException {
    Files.createDirectories(file.getParent());
    Files.writeString(file, "#!/bin/sh\n" + body);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private Path jdk(String name, String version) throws IOException {
    Path home = folder.resolve(name);
    script(
        home.resolve("bin/java"),
        """
        echo "java %s"
        for a in "$@"; do
          echo "<$a>"
          case $a in
            -XX:ArchiveClassesAtExit=*) echo classes >"${a#*=}" ;;
          esac
        done
        """
            .formatted(name));
    Files.writeString(home.resolve("release"), "JAVA_VERSION=\"" + version + "\"\n");
    return home;
  }

  private void build() throws IOException {
    Files.createDirectories(jar.resolveSibling("lib"));
    Files.createFile(jar);
    Files.setLastModifiedTime(jar, FileTime.from(Instant.now().plusSeconds(60)));
  }

  private Cli.Result launch(Path script, Path workingFolder, Map<String, String> environment)
      throws IOException, InterruptedException {
    Path out = folder.resolve("stdout");
    Path err = folder.resolve("stderr");
    ProcessBuilder builder =
        new ProcessBuilder("sh", script.toString(), "generate", "-p", "two  words")
            .directory(workingFolder.toFile())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile());
    builder.environment().keySet().removeIf(name -> name.startsWith("LC_") || name.equals("LANG"));
    builder.environment().remove("LLAMA_JAVA_OPTS");
    // Without HOME and a PATH of its own, it would find the JDKs of this machine first.
    builder.environment().put("HOME", folder.toString());
    builder.environment().putAll(environment);
    int code = builder.start().waitFor();
    return new Cli.Result(
        code,
        Files.readString(out, StandardCharsets.UTF_8),
        Files.readString(err, StandardCharsets.UTF_8));
  }

  private Path llama() {
    return repository.resolve("scripts/llama");
  }

  @Test
  void itRunsFromAnyFolderAndKeepsArgumentsWhole() throws Exception {
    build();
    Path jdk = jdk("jdk25", "25.0.3");
    Cli.Result result = launch(llama(), folder, Map.of("LLAMA_JAVA_HOME", jdk.toString()));
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out())
        .startsWith("java jdk25\n")
        .contains("<" + jar.toRealPath() + ":" + jar.toRealPath().resolveSibling("lib") + ">")
        .endsWith("<generate>\n<-p>\n<two  words>\n");
    assertThat(result.err()).isEmpty();
  }

  @Test
  void itRunsThroughLinks() throws Exception {
    build();
    Path jdk = jdk("jdk25", "25");
    Path bin = Files.createDirectories(folder.resolve("bin"));
    Files.createSymbolicLink(bin.resolve("first"), llama());
    Files.createSymbolicLink(bin.resolve("second"), Path.of("first"));
    Cli.Result result =
        launch(bin.resolve("second"), bin, Map.of("LLAMA_JAVA_HOME", jdk.toString()));
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).contains(jar.toRealPath().toString());
  }

  @Test
  void theFirstJdkThatIsNewEnoughIsTaken() throws Exception {
    build();
    Path old = jdk("jdk17", "17.0.1");
    Path newer = jdk("jdk26", "26-ea");
    Cli.Result result =
        launch(
            llama(),
            folder,
            Map.of("LLAMA_JAVA_HOME", old.toString(), "JAVA_HOME", newer.toString()));
    assertThat(result.out()).startsWith("java jdk26\n");
  }

  @Test
  void itBuildsWhatIsMissingAndSaysSo() throws Exception {
    Path jdk = jdk("jdk25", "25");
    Cli.Result result = launch(llama(), folder, Map.of("LLAMA_JAVA_HOME", jdk.toString()));
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).startsWith("java jdk25\n");
    assertThat(result.err())
        .contains("llama: building", "building with " + jdk, "-DskipTests package");
  }

  @Test
  void itBuildsAgainWhenASourceIsNewer() throws Exception {
    build();
    Path jdk = jdk("jdk25", "25");
    Files.setLastModifiedTime(
        repository.resolve("llama-core/src/main/java/A.java"),
        FileTime.from(Instant.now().plusSeconds(120)));
    Cli.Result result = launch(llama(), folder, Map.of("LLAMA_JAVA_HOME", jdk.toString()));
    assertThat(result.err()).contains("llama: building");
  }

  @Test
  void aBuildThatFailsEndsIt() throws Exception {
    script(repository.resolve("mvnw"), "echo broken >&2; exit 1\n");
    Path jdk = jdk("jdk25", "25");
    Cli.Result result = launch(llama(), folder, Map.of("LLAMA_JAVA_HOME", jdk.toString()));
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).contains("broken", "the build failed");
  }

  @Test
  void twoAtOnceBuildOnce() throws Exception {
    script(
        repository.resolve("mvnw"),
        """
        echo built >> builds
        sleep 1
        mkdir -p llama-cli/target/lib
        touch llama-cli/target/llama-cli.jar
        """);
    Path jdk = jdk("jdk25", "25");
    ProcessBuilder builder =
        new ProcessBuilder("sh", "-c", "'%1$s' tokenize & '%1$s' tokenize; wait".formatted(llama()))
            .redirectErrorStream(true);
    builder.environment().put("LLAMA_JAVA_HOME", jdk.toString());
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    assertThat(Files.readAllLines(repository.resolve("builds"))).as(output).hasSize(1);
    assertThat(output.lines().filter("java jdk25"::equals)).as(output).hasSize(2);
    assertThat(jar.resolveSibling(".building")).doesNotExist();
  }

  @Test
  void theLockOfABuildThatWasKilledIsTakenOver() throws Exception {
    Path jdk = jdk("jdk25", "25");
    Files.createDirectories(jar.getParent());
    Process dead = new ProcessBuilder("true").start();
    dead.waitFor();
    Files.createSymbolicLink(jar.resolveSibling(".building"), Path.of(dead.pid() + ""));
    Cli.Result result = launch(llama(), folder, Map.of("LLAMA_JAVA_HOME", jdk.toString()));
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("llama: building");
    assertThat(Files.isSymbolicLink(jar.resolveSibling(".building"))).isFalse();
  }

  @Test
  void aClosedStdinIsEmpty() throws Exception {
    build();
    Path home = jdk("jdk25", "25");
    script(home.resolve("bin/java"), "cat; echo end of stdin\n");
    Path script = folder.resolve("closed.sh");
    Files.writeString(script, "exec '%s' <&-\n".formatted(llama()));
    Cli.Result result = launch(script, folder, Map.of("LLAMA_JAVA_HOME", home.toString()));
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).isEqualTo("end of stdin\n");
    assertThat(result.err()).isEmpty();
  }

  @Test
  void aJdkThatWasAskedForAndDoesNotDoIsNamed() throws Exception {
    build();
    Path newer = jdk("jdk26", "26");
    Cli.Result result =
        launch(
            llama(),
            folder,
            Map.of("LLAMA_JAVA_HOME", folder + "/no-jdk", "JAVA_HOME", newer.toString()));
    assertThat(result.out()).startsWith("java jdk26\n");
    assertThat(result.err()).contains("LLAMA_JAVA_HOME=" + folder + "/no-jdk is no JDK 25");
  }

  @Test
  void flagsForJavaCanBeAdded() throws Exception {
    build();
    Path jdk = jdk("jdk25", "25");
    Cli.Result result =
        launch(
            llama(),
            folder,
            Map.of("LLAMA_JAVA_HOME", jdk.toString(), "LLAMA_JAVA_OPTS", "-Xmx2g -Dx=y"));
    assertThat(result.out()).contains("<-Xmx2g>\n<-Dx=y>\n");
  }

  @Test
  void eachJdkGetsAnArchiveOfClassesWhichTheNextStartsUse() throws Exception {
    String first = archiveUsedWith(jdk("jdk25", "25.0.3"));
    Path archive = Path.of(first);
    FileTime made = Files.getLastModifiedTime(archive);
    assertThat(archiveUsedWith(jdk("jdk25", "25.0.3"))).isEqualTo(first);
    assertThat(Files.getLastModifiedTime(archive)).isEqualTo(made);
    assertThat(archiveUsedWith(jdk("jdk26", "26"))).isNotEqualTo(first);
    assertThat(archive).exists();
  }

  private String archiveUsedWith(Path jdk) throws Exception {
    Cli.Result result = launch(llama(), folder, Map.of("LLAMA_JAVA_HOME", jdk.toString()));
    String flag = "<-XX:SharedArchiveFile=";
    assertThat(result.out()).as(result.err()).contains(flag);
    String rest = result.out().substring(result.out().indexOf(flag) + flag.length());
    return rest.substring(0, rest.indexOf('>'));
  }

  @Test
  void itRunsWithoutAnArchiveWhereNoneCanBeMade() throws Exception {
    build();
    Path jdk = folder.resolve("jdk25");
    script(jdk.resolve("bin/java"), "case $* in *Archive*) exit 1 ;; esac; echo runs\n");
    Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"25\"\n");
    Cli.Result result = launch(llama(), folder, Map.of("LLAMA_JAVA_HOME", jdk.toString()));
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).isEqualTo("runs\n");
  }

  @Test
  void anotherGarbageCollectorReplacesTheDefault() throws Exception {
    build();
    Path jdk = jdk("jdk25", "25");
    Map<String, String> environment =
        Map.of("LLAMA_JAVA_HOME", jdk.toString(), "LLAMA_JAVA_OPTS", "-XX:+UseG1GC");
    assertThat(launch(llama(), folder, environment).out())
        .contains("<-XX:+UseG1GC>")
        .doesNotContain("<-XX:+UseSerialGC>");
  }

  @Test
  void withoutANewJdkThreeLinesSayHowToGetOne() throws Exception {
    Path old = jdk("jdk17", "17.0.1");
    Path script = folder.resolve("probe.sh");
    // The candidates are replaced: this machine has a new JDK where the real list finds it.
    Files.writeString(
        script,
        ". '%s'\njdk_candidates() { printf '%%s\\n' '%s'; }\nfind_jdk\n"
            .formatted(repository.resolve("scripts/find-jdk.sh"), old));
    Cli.Result result = launch(script, folder, Map.of());
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err().lines()).hasSize(3);
    assertThat(result.err()).contains("apt install", "sdk install", "LLAMA_JAVA_HOME");
  }
}
