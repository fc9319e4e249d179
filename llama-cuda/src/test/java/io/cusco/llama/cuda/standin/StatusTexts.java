package io.cusco.llama.cuda.standin;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/// Names and texts of the cuBLAS status codes as C strings, kept for the life of the JVM as the
/// library's are.
final class StatusTexts {
  private final Map<Integer, MemorySegment> names = new HashMap<>();
  private final Map<Integer, MemorySegment> texts = new HashMap<>();
  private final MemorySegment unknown = Arena.global().allocateFrom("<unknown>");

  StatusTexts() {
    for (CublasStatus status : CublasStatus.values()) {
      names.put(status.code(), Arena.global().allocateFrom(status.name()));
      texts.put(status.code(), Arena.global().allocateFrom(status.text()));
    }
  }

  MemorySegment name(int status) {
    return names.getOrDefault(status, unknown);
  }

  MemorySegment text(int status) {
    return texts.getOrDefault(status, unknown);
  }
}
