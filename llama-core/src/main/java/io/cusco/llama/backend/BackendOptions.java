package io.cusco.llama.backend;

import java.util.OptionalInt;

/// How to open a backend.
///
/// @param device which of several devices, from 0; empty for the backend's choice
/// @param threads host threads that compute, the caller's included; empty for one per core
public record BackendOptions(OptionalInt device, OptionalInt threads) {
  public static final BackendOptions DEFAULT =
      new BackendOptions(OptionalInt.empty(), OptionalInt.empty());

  public BackendOptions {
    if (device.isPresent() && device.getAsInt() < 0) {
      throw new IllegalArgumentException("device must be 0 or more, got " + device.getAsInt());
    }
    if (threads.isPresent() && threads.getAsInt() < 1) {
      throw new IllegalArgumentException("threads must be 1 or more, got " + threads.getAsInt());
    }
  }
}
