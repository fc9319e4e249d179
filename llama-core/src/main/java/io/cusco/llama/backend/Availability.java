package io.cusco.llama.backend;

import java.util.List;

/// Whether a backend can run here.
public sealed interface Availability {
  /// What was looked for and found, a line each, for people who want to know: libraries, versions,
  /// devices. May be empty.
  List<String> details();

  /// @param description the device in a few words
  record Available(String description, List<String> details) implements Availability {
    public Available {
      details = List.copyOf(details);
    }

    public Available(String description) {
      this(description, List.of());
    }
  }

  /// @param reason one sentence: what is missing and how to get it
  record Unavailable(String reason, List<String> details) implements Availability {
    public Unavailable {
      details = List.copyOf(details);
    }

    public Unavailable(String reason) {
      this(reason, List.of());
    }
  }
}
