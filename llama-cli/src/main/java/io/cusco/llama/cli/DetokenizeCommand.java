package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.cli.JsonLines.Line;
import io.cusco.llama.cli.json.Json;
import io.cusco.llama.tokenizer.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `llama detokenize`: token ids to text.
@Command(
    name = "detokenize",
    description = "Turn token ids into text: {\"text\":...,\"bytes_hex\":...} per input.",
    sortOptions = false)
final class DetokenizeCommand implements Callable<Integer> {
  private final CliContext context;

  static final class Source {
    @Option(
        names = "--ids",
        paramLabel = "1,2,3",
        converter = TokenIds.Converter.class,
        description = "The token ids.")
    private TokenIds ids;

    @Option(names = "--jsonl", description = "Read lines {\"ids\":[...]} from stdin.")
    private boolean jsonl;
  }

  @ArgGroup(multiplicity = "1")
  private Source source;

  @Mixin private ModelOption model;

  @Mixin JsonOnly jsonOnly;

  DetokenizeCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    try (Checkpoint checkpoint = model.open()) {
      Tokenizer tokenizer = checkpoint.tokenizer();
      if (!source.jsonl) {
        print(tokenizer, source.ids.values());
        return Main.OK;
      }
      JsonLines lines = new JsonLines(context.in());
      for (Optional<Line> line = lines.next(); line.isPresent(); line = lines.next()) {
        int[] ids = line.get().ids().orElseThrow(() -> lines.error("\"ids\" is missing"));
        try {
          print(tokenizer, ids);
        } catch (IllegalArgumentException e) {
          throw new LlamaException(lines.error(e.getMessage()).getMessage(), e);
        }
      }
    }
    return Main.OK;
  }

  private void print(Tokenizer tokenizer, int[] ids) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int id : ids) {
      if (id < 0 || id >= tokenizer.vocabSize()) {
        throw new IllegalArgumentException(
            "token id %d is not in the vocabulary of %d".formatted(id, tokenizer.vocabSize()));
      }
      bytes.writeBytes(tokenizer.tokenBytes(id));
    }
    context
        .out()
        .line(
            Json.object(json -> {
              json.writeStringProperty("text", tokenizer.decode(ids));
              json.writeStringProperty("bytes_hex", HexFormat.of().formatHex(bytes.toByteArray()));
            }));
  }
}
