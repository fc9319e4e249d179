package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cli.JsonLines.Line;
import io.cusco.llama.cli.json.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `llama score`: log-probabilities of given tokens.
@Command(
    name = "score",
    description = {
      "Print the log-probabilities of given tokens, and the perplexity.",
      "One {\"id\",\"logprobs\":[...],\"perplexity\"} per input; the first token has none."
    },
    sortOptions = false)
final class ScoreCommand implements Callable<Integer> {
  private final CliContext context;

  static final class Source {
    @Option(
        names = "--ids",
        paramLabel = "1,2,3",
        converter = TokenIds.Converter.class,
        description = "Token ids; nothing is added to them.")
    private TokenIds ids;

    @Option(
        names = "--text",
        paramLabel = "TEXT",
        description = "A text; begin-of-text is put first where the model wants it.")
    private String text;

    @Option(
        names = "--jsonl",
        description = "Read lines with \"ids\" or \"text\", and perhaps \"id\", from stdin.")
    private boolean jsonl;
  }

  @ArgGroup(multiplicity = "1")
  private Source source;

  @Mixin private ModelOption model;
  @Mixin private RunOptions run;
  @Mixin private ContextOption contextOption;

  @Option(
      names = "--logits",
      paramLabel = "FILE.f32",
      description = {
        "Write all logits: little-endian float32, one row of the vocabulary per position,",
        "inputs after one another."
      })
  private Path logits;

  @Option(
      names = "--greedy",
      paramLabel = "N",
      description = "Continue each input with its N most likely tokens, past any end token.")
  private Integer greedy;

  @Mixin JsonOnly jsonOnly;

  ScoreCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    Usage.require(greedy == null || greedy > 0, "--greedy must be 1 or more, got " + greedy);
    try (Scorer scorer = Scorer.open(context, model, contextOption, run);
        ProgressBar progress = context.progress("scoring", source.jsonl ? 0 : 1);
        LogitsFile file = logits == null ? null : LogitsFile.create(logits)) {
      if (source.jsonl) {
        scoreLines(scorer, file, progress);
      } else {
        int[] ids = source.ids != null ? source.ids.values() : scorer.encode(source.text);
        print("0", scorer.score(ids, greedy == null ? 0 : greedy, file));
      }
      if (file != null) {
        file.finish();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return Main.OK;
  }

  private void scoreLines(Scorer scorer, LogitsFile file, ProgressBar progress) {
    JsonLines lines = new JsonLines(context.in());
    long index = 0;
    for (Optional<Line> next = lines.next(); next.isPresent(); next = lines.next()) {
      Line line = next.get();
      if (line.ids().isPresent() == line.text().isPresent()) {
        throw lines.error("expected \"ids\" or \"text\", one of them");
      }
      try {
        int[] ids = line.ids().orElseGet(() -> scorer.encode(line.text().get()));
        String id = line.id().orElse(Long.toString(index));
        print(id, scorer.score(ids, greedy == null ? 0 : greedy, file));
      } catch (LlamaException | IllegalArgumentException e) {
        throw new LlamaException(lines.error(e.getMessage()).getMessage(), e);
      }
      index++;
      progress.advance();
    }
  }

  private void print(String id, Scorer.Score score) {
    context
        .out()
        .line(
            Json.object(o -> {
              o.writeName("id");
              o.writeRawValue(id);
              Json.numbers(o, "logprobs", score.logprobs());
              Json.number(o, "perplexity", score.perplexity());
              score
                  .greedy()
                  .ifPresent(continuation -> {
                    Json.ids(o, "greedy_ids", continuation.ids());
                    Json.numbers(
                        o,
                        "greedy_logprobs",
                        continuation.logprobs().stream()
                            .mapToDouble(token -> token.logprob())
                            .toArray());
                  });
            }));
  }
}
