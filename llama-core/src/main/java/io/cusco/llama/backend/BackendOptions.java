package io.cusco.llama.backend;

import java.util.OptionalInt;

/// How to open a backend.
///
/// @param device which of several devices, from 0; empty for the backend's choice
/// @param threads host threads that compute, the caller's included, at most [#MAX_THREADS]; empty
///   for one per core
/// @param repack whether the CPU may keep a copy of the weights for decoding
public record BackendOptions(OptionalInt device, OptionalInt threads, Repack repack) {
  /// More than the cores of any machine; the system itself gives out some ten thousand.
  public static final int MAX_THREADS = 1024;

  public static final BackendOptions DEFAULT =
      new BackendOptions(OptionalInt.empty(), OptionalInt.empty());

  /// Without a say about copies of the weights.
  public BackendOptions(OptionalInt device, OptionalInt threads) {
    this(device, threads, Repack.AUTO);
  }

  public BackendOptions {
    if (device.isPresent() && device.getAsInt() < 0) {
      throw new IllegalArgumentException("device must be 0 or more, got " + device.getAsInt());
    }
    if (threads.isPresent() && (threads.getAsInt() < 1 || threads.getAsInt() > MAX_THREADS)) {
      throw new IllegalArgumentException(
          "threads must be 1 .. %d, got %d".formatted(MAX_THREADS, threads.getAsInt()));
    }
  }
}
