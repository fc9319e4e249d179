package io.cusco.llama.cli;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/// The prompt: text, a file, ids, or else stdin.
final class PromptOptions {
  /// Where the prompt comes from.
  static final class Source {
    @Option(
        names = {"-p", "--prompt"},
        paramLabel = "TEXT",
        description = "The prompt (default: read from stdin).")
    private String text;

    @Option(
        names = "--prompt-file",
        paramLabel = "FILE",
        description = "Read the prompt from a UTF-8 file.")
    private Path file;

    @Option(
        names = "--ids",
        paramLabel = "1,2,3",
        converter = TokenIds.Converter.class,
        description = "The prompt as token ids; nothing is added to them.")
    private TokenIds ids;
  }

  @ArgGroup private Source source;

  @Option(
      names = "--special",
      description = "Text of special tokens in the prompt becomes those tokens.")
  private boolean special;

  /// Reads the prompt; a text stays a text until a model's tokenizer is there.
  Prompt read(CliContext context) {
    if (source != null && source.ids != null) {
      Usage.require(!special, "--special needs a prompt that is text, not --ids");
      Usage.require(source.ids.values().length > 0, "--ids is empty");
      return new Prompt.Ids(source.ids.values());
    }
    return new Prompt.Text(text(context), special);
  }

  private String text(CliContext context) {
    if (source != null && source.text != null) {
      return source.text;
    }
    try {
      if (source == null) {
        return readAll(context.in());
      }
      if (Files.isDirectory(source.file)) {
        throw new LlamaException(
            "cannot read the prompt: %s is a folder; name a file".formatted(source.file));
      }
      return Files.readString(source.file);
    } catch (IOException e) {
      throw new LlamaException("cannot read the prompt: " + Failures.describe(e), e);
    }
  }

  /// @throws java.nio.charset.CharacterCodingException if it is not UTF-8: the model would
  ///   otherwise continue another text than the one given
  static String readAll(InputStream in) throws IOException {
    return decode(in.readAllBytes());
  }

  /// @throws java.nio.charset.CharacterCodingException if it is not UTF-8
  static String decode(byte[] utf8) throws CharacterCodingException {
    return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
  }

  /// What the model is to continue.
  sealed interface Prompt {
    int[] encode(Llama llama);

    /// @param special whether special tokens' text becomes those tokens
    record Text(String text, boolean special) implements Prompt {
      @Override
      public int[] encode(Llama llama) {
        if (!special) {
          return llama.encodePrompt(text);
        }
        int[] start = llama.encodePrompt("");
        int[] ids = llama.tokenizer().encodeWithSpecialTokens(text);
        boolean startsItself = start.length > 0 && ids.length > 0 && ids[0] == start[0];
        return startsItself ? ids : TextInput.concat(start, ids);
      }
    }

    /// Token ids, taken as they are.
    record Ids(int[] ids) implements Prompt {
      @Override
      public int[] encode(Llama llama) {
        return ids.clone();
      }
    }
  }
}
