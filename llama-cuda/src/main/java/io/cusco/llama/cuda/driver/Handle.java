package io.cusco.llama.cuda.driver;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// A native object of a context, until it is closed.
final class Handle {
  private final CudaContext context;
  private final String what;
  private final MemorySegment pointer;
  private boolean closed;

  /// @param what for messages: "stream", "module rope.ptx"
  Handle(CudaContext context, String what, MemorySegment pointer) {
    this.context = context;
    this.what = what;
    this.pointer = pointer;
  }

  /// The native pointer; throws if it may not be used now.
  MemorySegment get() {
    context.checkUsable();
    if (closed) {
      throw context.closedException(what);
    }
    return pointer;
  }

  /// Marks it as closed. Empty if it was already, or is gone because its context is; otherwise the
  /// caller destroys what it gets.
  Optional<MemorySegment> release() {
    if (closed || context.isClosed()) {
      closed = true;
      return Optional.empty();
    }
    context.checkUsable();
    closed = true;
    return Optional.of(pointer);
  }
}
