package io.cusco.llama.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/// `llama`: holds the options that every command has.
@Command(
    name = "llama",
    description = "LLaMA for the JVM. Without -m, commands use a small bundled story model.",
    synopsisSubcommandLabel = "COMMAND",
    footer = {"", "'llama COMMAND --help' lists a command's options."})
final class RootCommand implements Runnable {
  private final CliContext context;

  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Show this help.")
  boolean help;

  RootCommand(CliContext context) {
    this.context = context;
  }

  @Option(
      names = "--verbose",
      scope = ScopeType.INHERIT,
      description = "Say what is chosen, print timings, and stack traces of failures, on stderr.")
  void setVerbose(boolean verbose) {
    context.setVerbose(verbose);
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is missing");
  }
}
