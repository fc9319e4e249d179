package io.cusco.llama.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `llama doctor`: what this machine offers and what is missing.
@Command(
    name = "doctor",
    description = "Show what was found here, what is missing and how to get it.",
    sortOptions = false)
final class DoctorCommand implements Callable<Integer> {
  private final CliContext context;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  DoctorCommand(CliContext context) {
    this.context = context;
  }

  /// Fails if no backend can run here, so that scripts can ask.
  @Override
  public Integer call() {
    Diagnosis diagnosis = Diagnosis.make();
    context.out().print(json ? diagnosis.toJson() + "\n" : diagnosis.toText());
    return diagnosis.canRun() ? Main.OK : Main.FAILED;
  }
}
