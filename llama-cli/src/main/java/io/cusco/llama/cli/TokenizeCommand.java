package io.cusco.llama.cli;

import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.cli.JsonLines.Line;
import io.cusco.llama.cli.json.Json;
import io.cusco.llama.tokenizer.Tokenizer;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `llama tokenize`: text to token ids.
@Command(
    name = "tokenize",
    description = "Turn text into token ids: {\"ids\":[...]} per input.",
    sortOptions = false)
final class TokenizeCommand implements Callable<Integer> {
  private final CliContext context;

  static final class Source {
    @Option(
        names = "--text",
        paramLabel = "TEXT",
        description = "The text (default: all of stdin).")
    private String text;

    @Option(names = "--jsonl", description = "Read lines {\"text\":...} from stdin.")
    private boolean jsonl;
  }

  @ArgGroup private Source source;
  @Mixin private ModelOption model;

  @Option(names = "--add-bos", description = "Put the begin-of-text token first.")
  private boolean addBos;

  @Option(
      names = "--special",
      description = "Text of special tokens becomes those tokens; otherwise it stays text.")
  private boolean special;

  @Mixin JsonOnly jsonOnly;

  TokenizeCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException {
    try (Checkpoint checkpoint = model.open()) {
      if (source != null && source.jsonl) {
        JsonLines lines = new JsonLines(context.in());
        for (Optional<Line> line = lines.next(); line.isPresent(); line = lines.next()) {
          String text = line.get().text().orElseThrow(() -> lines.error("\"text\" is missing"));
          print(checkpoint, text);
        }
      } else {
        print(
            checkpoint,
            source != null && source.text != null
                ? source.text
                : PromptOptions.readAll(context.in()));
      }
    }
    return Main.OK;
  }

  private void print(Checkpoint checkpoint, String text) {
    Tokenizer tokenizer = checkpoint.tokenizer();
    int[] ids = special ? tokenizer.encodeWithSpecialTokens(text) : tokenizer.encode(text);
    int[] all = addBos ? TextInput.concat(new int[] {TextInput.bos(checkpoint)}, ids) : ids;
    context.out().line(Json.object(json -> Json.ids(json, "ids", all)));
  }
}
