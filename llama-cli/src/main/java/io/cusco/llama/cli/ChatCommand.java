package io.cusco.llama.cli;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.sampling.SamplingParams;
import java.nio.charset.CharacterCodingException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `llama chat`: a conversation.
@Command(
    name = "chat",
    description = {
      "Talk with a chat model. On a terminal: a prompt with history, /help for its commands.",
      "On a pipe: each line of stdin is a turn, and only replies go to stdout."
    },
    sortOptions = false)
final class ChatCommand implements Callable<Integer> {
  private final CliContext context;

  @Mixin private ModelOption model;

  @Option(names = "--system", paramLabel = "TEXT", description = "The system message.")
  private String system;

  @Mixin private SamplingOptions samplingOptions;
  @Mixin private RunOptions run;
  @Mixin private ContextOption contextOption;
  @Mixin private EngineSwitches switches;

  @Option(names = "--json", description = "Print one JSON object per reply.")
  private boolean json;

  ChatCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    Usage.require(json || !samplingOptions.wantsLogprobs(), "--logprobs needs --json");
    SamplingParams sampling = samplingOptions.params();
    long startNanos = System.nanoTime();
    try (Llama llama = run.open(context, model, contextOption, 1, switches)) {
      long loadNanos = System.nanoTime() - startNanos;
      Conversation conversation =
          new Conversation(
              llama, Optional.ofNullable(system), sampling, samplingOptions.stopConditions());
      if (context.terminals().in() && context.terminals().out() && !json) {
        return new ChatTerminal(context, conversation).run();
      }
      runPipe(llama, conversation, sampling, loadNanos);
    }
    return Main.OK;
  }

  private void runPipe(
      Llama llama, Conversation conversation, SamplingParams sampling, long loadNanos) {
    InputLines lines = new InputLines(context.in());
    for (Optional<byte[]> line = lines.next(); line.isPresent(); line = lines.next()) {
      try (Conversation.Turn turn = conversation.say(text(lines, line.get()))) {
        reportDropped(turn);
        if (!json) {
          new TextStream(context.out(), llama).print(turn.generation());
          context.out().line("");
        }
        Generation.Result result = turn.finish();
        if (json) {
          context.out().line(new GenerationReport(result, sampling, loadNanos).toJson(llama));
        }
      }
    }
  }

  /// The model would otherwise answer another text than the one given.
  private static String text(InputLines lines, byte[] line) {
    try {
      String text = PromptOptions.decode(line);
      return text.endsWith("\r") ? text.substring(0, text.length() - 1) : text;
    } catch (CharacterCodingException e) {
      throw new LlamaException("input line %d is not UTF-8".formatted(lines.number()), e);
    }
  }

  private void reportDropped(Conversation.Turn turn) {
    if (turn.dropped() > 0) {
      context.err().line(turn.droppedNotice());
    }
  }
}
