package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import io.cusco.llama.chat.Message;
import io.cusco.llama.cli.json.Json;
import io.cusco.llama.engine.FinishReason;
import io.cusco.llama.engine.Generation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Locale;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;

/// The chat prompt on a terminal.
final class ChatTerminal {
  private static final String QUOTES = "\"\"\"";
  private static final String HELP =
      """
      /reset       forget the conversation, but not the system message
      /save FILE   write the conversation to FILE as JSON
      /exit        leave; so does Ctrl-D
      /help        this text
      A line that ends with \\ goes on in the next one; text between %1$s and %1$s may have many lines.
      Ctrl-C ends an answer; on an empty line it ends the program.
      """
          .formatted(QUOTES);

  /// What a shell expects of a program that Ctrl-C ended: 128 + SIGINT.
  private static final int INTERRUPTED = 130;

  private final CliContext context;
  private final Conversation conversation;

  ChatTerminal(CliContext context, Conversation conversation) {
    this.context = context;
    this.conversation = conversation;
  }

  int run() {
    try (Terminal terminal = TerminalBuilder.builder().system(true).build()) {
      LineReader reader =
          LineReaderBuilder.builder()
              .terminal(terminal)
              // Otherwise "!" would mean history expansion, and "\" would vanish.
              .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
              .build();
      terminal.writer().println("Type /help for help.");
      while (true) {
        String text;
        try {
          text = readTurn(reader);
        } catch (UserInterruptException e) {
          if (e.getPartialLine().isEmpty()) {
            return INTERRUPTED;
          }
          continue;
        } catch (EndOfFileException e) {
          return Main.OK;
        }
        if (text.isBlank()) {
          continue;
        }
        if (text.strip().equals("/exit")) {
          return Main.OK;
        }
        try {
          if (text.startsWith("/")) {
            command(terminal, text.strip());
          } else {
            answer(terminal, text);
          }
        } catch (LlamaException | IllegalArgumentException e) {
          context.err().line("llama: " + Failures.describe(e));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// One turn: a line, lines joined by a trailing backslash, or everything between `"""` marks.
  private static String readTurn(LineReader reader) {
    String line = reader.readLine("> ");
    if (line.startsWith(QUOTES)) {
      StringBuilder text = new StringBuilder(line.substring(QUOTES.length()));
      while (!text.toString().stripTrailing().endsWith(QUOTES)) {
        text.append('\n').append(nextLine(reader));
      }
      String quoted = text.toString().stripTrailing();
      return quoted.substring(0, quoted.length() - QUOTES.length()).strip();
    }
    StringBuilder text = new StringBuilder();
    while (line.endsWith("\\")) {
      text.append(line, 0, line.length() - 1).append('\n');
      line = nextLine(reader);
    }
    return text.append(line).toString();
  }

  /// Ctrl-C here gives up the message, not the program.
  private static String nextLine(LineReader reader) {
    try {
      return reader.readLine("| ");
    } catch (UserInterruptException e) {
      throw new UserInterruptException("| " + e.getPartialLine());
    }
  }

  private void command(Terminal terminal, String command) {
    String[] words = command.split("\\s+", 2);
    switch (words[0]) {
      case "/reset" -> conversation.reset();
      case "/save" -> {
        if (words.length < 2) {
          throw new LlamaException("/save needs a file name");
        }
        save(words[1]);
        terminal.writer().println("saved " + words[1]);
      }
      case "/help" -> terminal.writer().print(HELP);
      default -> throw new LlamaException("no command " + words[0] + "; /help lists them");
    }
    terminal.flush();
  }

  private void answer(Terminal terminal, String text) {
    try (Conversation.Turn turn = conversation.say(text)) {
      Generation generation = turn.generation();
      Terminal.SignalHandler before =
          terminal.handle(Terminal.Signal.INT, signal -> generation.cancel());
      try {
        if (turn.dropped() > 0) {
          context.err().line(turn.droppedNotice());
        }
        for (Generation.Piece piece : generation) {
          terminal.writer().print(piece.text());
          terminal.flush();
        }
        FinishReason reason = turn.finish().finishReason();
        terminal.writer().println(ending(reason));
        terminal.flush();
      } finally {
        terminal.handle(Terminal.Signal.INT, before);
      }
    }
  }

  private static String ending(FinishReason reason) {
    return switch (reason) {
      case STOP -> "";
      case LENGTH, TIMEOUT, CANCELLED, ERROR -> " [" + reason.name().toLowerCase(Locale.ROOT) + "]";
    };
  }

  private void save(String name) {
    try {
      Files.writeString(Path.of(name), toJson() + "\n");
    } catch (IOException e) {
      throw new LlamaException("cannot write %s: %s".formatted(name, Failures.describe(e)), e);
    } catch (InvalidPathException e) {
      throw new LlamaException("no file can be called '%s'".formatted(name), e);
    }
  }

  private String toJson() {
    return Json.object(json -> {
      json.writeArrayPropertyStart("messages");
      for (Message message : conversation.messages()) {
        json.writeStartObject();
        json.writeStringProperty("role", message.role().name().toLowerCase(Locale.ROOT));
        json.writeStringProperty("content", message.content());
        json.writeEndObject();
      }
      json.writeEndArray();
    });
  }
}
