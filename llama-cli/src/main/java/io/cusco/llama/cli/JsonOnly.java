package io.cusco.llama.cli;

import picocli.CommandLine.Option;

/// `--json` of commands that print JSON in any case, so that every command takes it.
final class JsonOnly {
  @Option(names = "--json", description = "Accepted; this command prints JSON in any case.")
  boolean json;
}
