package io.cusco.llama.cli;

import io.cusco.llama.backend.LoadProgress;
import java.io.InputStream;

/// What every command writes to and reads from. Results go to [#out()], everything else to
/// [#err()].
final class CliContext {
  private final Output out;
  private final Output err;
  private final InputStream in;
  private final Terminals terminals;
  private boolean verbose;

  CliContext(Output out, Output err, InputStream in, Terminals terminals) {
    this.out = out;
    this.err = err;
    this.in = in;
    this.terminals = terminals;
  }

  Output out() {
    return out;
  }

  Output err() {
    return err;
  }

  InputStream in() {
    return in;
  }

  Terminals terminals() {
    return terminals;
  }

  boolean verbose() {
    return verbose;
  }

  void setVerbose(boolean verbose) {
    this.verbose = verbose;
    Logging.install(err, verbose);
  }

  /// A progress bar for a model's way to a device, in MB.
  static LoadProgress loading(ProgressBar bar) {
    return (loaded, total) -> bar.show(loaded >> 20, total >> 20);
  }

  ProgressBar loadingBar() {
    return progress("loading, MB", 0);
  }

  /// A progress bar on stderr, which shows nothing unless that is a terminal.
  ProgressBar progress(String what, long total) {
    return new ProgressBar(err, terminals.err(), what, total);
  }
}
