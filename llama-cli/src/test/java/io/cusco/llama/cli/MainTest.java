package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {
  @Test
  void helpGoesToStdoutAndSucceeds() {
    Cli.Result result = Cli.run("--help");
    assertThat(result.code()).isZero();
    assertThat(result.out())
        .contains(
            "generate",
            "chat",
            "tokenize",
            "detokenize",
            "score",
            "inspect",
            "bench",
            "batch",
            "doctor");
    assertThat(result.err()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "generate",
        "chat",
        "tokenize",
        "detokenize",
        "score",
        "inspect",
        "bench",
        "batch",
        "doctor"
      })
  void everyCommandHasHelp(String command) {
    Cli.Result result = Cli.run(command, "--help");
    assertThat(result.code()).isZero();
    assertThat(result.out()).contains("Usage: llama " + command, "--json");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "nonsense",
        "serve",
        "batch",
        "batch -i x",
        "batch -i x -o y --order random",
        "batch -i x -o y --max-concurrent 0",
        "batch -i x -o - --resume",
        "quantize",
        "pull",
        "generate --no-such-option",
        "generate -p x --grammar file",
        "generate -p x --json-schema file",
        "generate -p x --ids 1",
        "generate -p x stray",
        "generate -p x --temperature 200",
        "generate -p x --temperature warm",
        "generate -p x --top-p 0",
        "generate -p x -n 0",
        "generate -p x --threads 0",
        "generate -p x --threads 100000",
        "generate -p x --logit-bias 5:NaN",
        "generate -p x --device -1",
        "generate -p x --context-length 0",
        "generate -p x --compute f64",
        "generate -p x --logprobs 3",
        "generate -p x --json --logprobs -1",
        "generate -p x --logit-bias 5",
        "generate -p x --logit-bias a:1",
        "generate --ids 1,x",
        "generate --ids 1,,2",
        "generate --ids 1 --special",
        "tokenize --text a --jsonl",
        "detokenize",
        "detokenize --ids 99999999999",
        "score --ids 1 --greedy 0",
        "score",
        "inspect --context-length 0",
        "bench --synthetic no-such-shape",
        "bench --synthetic llama-3.2-1b --dtype fp8",
        "bench --synthetic llama-3.2-1b -m x.gguf",
        "bench --dtype q8_0",
        "bench --save x.gguf",
        "bench --batch 1,0",
        "bench --repeat 0"
      })
  void wrongUsageExitsWithTwoAndOneReason(String args) {
    Cli.Result result = Cli.run(args.isEmpty() ? new String[0] : args.split(" "));
    assertThat(result.code()).as(result.err()).isEqualTo(2);
    assertThat(result.out()).isEmpty();
    assertThat(result.err().lines()).hasSize(2);
    assertThat(result.err()).startsWith("llama").contains("--help'.");
  }

  @Test
  void fp8IsRefusedByTheCpu() {
    Cli.Result result = Cli.run("generate", "-p", "x", "--backend", "cpu", "--compute", "fp8");
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("compute fp8 needs the CUDA backend");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"generate -p x", "tokenize --text x", "score --ids 1", "inspect", "chat", "bench"})
  void aMissingModelExitsWithOneAndOneLine(String args) {
    Cli.Result result = Cli.run((args + " -m no/such/model.gguf").split(" "));
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.out()).isEmpty();
    assertThat(result.err().lines()).hasSize(1);
    assertThat(result.err()).contains("no/such/model.gguf", "no such file");
  }

  @Test
  void verboseAddsTheStackTrace() {
    Cli.Result result = Cli.run("inspect", "-m", "no/such/model.gguf", "--verbose");
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("LlamaException", "\tat ");
  }

  @Test
  void aMissingPromptFileIsNamed() {
    Cli.Result result = Cli.run("generate", "--prompt-file", "no-such-prompt.txt");
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("no such file or folder: no-such-prompt.txt");
  }

  @Test
  void aFolderIsNoPrompt(@TempDir Path folder) {
    Cli.Result result = Cli.run("generate", "--prompt-file", folder.toString());
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("cannot read the prompt: " + folder + " is a folder");
  }

  @Test
  void aPromptThatIsNotUtf8IsRefused(@TempDir Path folder) throws IOException {
    Path file = Files.write(folder.resolve("prompt.txt"), new byte[] {'a', (byte) 0xff, 'b'});
    Cli.Result result = Cli.run("generate", "--prompt-file", file.toString());
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("cannot read the prompt: the text is not UTF-8");
  }

  @Test
  void anAtSignDoesNotReadOptionsFromAFile(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("options"), "--no-such-option");
    Cli.Result result = Cli.run("inspect", "-m", "@" + file);
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("'@" + file + "': no such file");
  }

  @ParameterizedTest
  @ValueSource(strings = {"doctor", "doctor --json", "--help"})
  void aReaderThatHasEnoughIsNoFailure(String args) {
    Cli.Result quiet = failingOutput("Broken pipe", args);
    assertThat(quiet.code()).isZero();
    assertThat(quiet.err()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"doctor", "doctor --json", "--help"})
  void aFullDiskIsAFailureInOneLine(String args) {
    Cli.Result result = failingOutput("No space left on device", args);
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).isEqualTo("llama: cannot write the output: No space left on device\n");
  }

  private static Cli.Result failingOutput(String reason, String args) {
    OutputStream out =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException(reason);
          }
        };
    java.io.ByteArrayOutputStream err = new java.io.ByteArrayOutputStream();
    int code = Main.run(args.split(" "), out, err, InputStream.nullInputStream());
    return new Cli.Result(code, "", err.toString(java.nio.charset.StandardCharsets.UTF_8));
  }
}
