package io.cusco.llama.cli;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import picocli.CommandLine;

/// The program behind `scripts/llama`.
public final class Main {
  static final int OK = 0;
  static final int FAILED = 1;
  static final int USAGE = 2;

  private Main() {}

  /// Runs one command and ends the JVM with its exit code.
  public static void main(String[] args) {
    int exitCode =
        run(
            args,
            new FileOutputStream(FileDescriptor.out),
            new FileOutputStream(FileDescriptor.err),
            new FileInputStream(FileDescriptor.in),
            Terminals.fromLauncher());
    System.exit(exitCode);
  }

  /// Runs one command in this process with streams that are no terminals.
  ///
  /// @return the exit code: 0 done, 1 failed, 2 wrong usage
  static int run(String[] args, OutputStream out, OutputStream err, InputStream in) {
    return run(args, out, err, in, Terminals.NONE);
  }

  static int run(
      String[] args, OutputStream out, OutputStream err, InputStream in, Terminals terminals) {
    CliContext context = new CliContext(new Output(out), new Output(err), in, terminals);
    Logging.install(context.err(), false);
    try {
      int exitCode = commandLine(context, args).execute(args);
      if (exitCode == OK) {
        context.out().flush();
      }
      return exitCode;
    } catch (OutputException | OutOfMemoryError e) {
      return report(context, e);
    }
  }

  private static Map<String, Supplier<Object>> commands(CliContext context) {
    Map<String, Supplier<Object>> commands = new LinkedHashMap<>();
    commands.put("generate", () -> new GenerateCommand(context));
    commands.put("chat", () -> new ChatCommand(context));
    commands.put("tokenize", () -> new TokenizeCommand(context));
    commands.put("detokenize", () -> new DetokenizeCommand(context));
    commands.put("score", () -> new ScoreCommand(context));
    commands.put("inspect", () -> new InspectCommand(context));
    commands.put("bench", () -> new BenchCommand(context));
    commands.put("batch", () -> new BatchCommand(context));
    commands.put("doctor", () -> new DoctorCommand(context));
    return commands;
  }

  private static CommandLine commandLine(CliContext context, String[] args) {
    CommandLine line = new CommandLine(new RootCommand(context));
    Map<String, Supplier<Object>> commands = commands(context);
    // Reading the annotations of all commands would take longer than the rest of the start.
    Set<String> needed =
        args.length > 0 && commands.containsKey(args[0]) ? Set.of(args[0]) : commands.keySet();
    commands.forEach((name, command) -> {
      if (needed.contains(name)) {
        line.addSubcommand(name, command.get());
      }
    });
    // "@name" in a prompt is text, not a file of further options.
    line.setExpandAtFiles(false);
    line.setOut(new PrintWriter(context.out().asWriter(), true));
    line.setErr(new PrintWriter(context.err().asWriter(), true));
    line.setParameterExceptionHandler((e, _) -> usageError(context, e.getCommandLine(), e));
    line.setExecutionExceptionHandler((e, command, _) ->
        e instanceof Usage.WrongUsage ? usageError(context, command, e) : report(context, e));
    return line;
  }

  private static int usageError(CliContext context, CommandLine command, Exception e) {
    String name = command.getCommandSpec().qualifiedName();
    context.err().line("%s: %s".formatted(name, Failures.firstLine(e.getMessage())));
    context.err().line("Try '%s --help'.".formatted(name));
    return USAGE;
  }

  private static int report(CliContext context, Throwable e) {
    if (e instanceof OutputException output && output.isBrokenPipe()) {
      return OK;
    }
    try {
      context.err().line("llama: " + Failures.describe(e));
      if (context.verbose()) {
        context.err().stackTrace(e);
      }
    } catch (OutputException _) {
      // Nobody can be told; the exit code has to do.
    }
    return FAILED;
  }
}
