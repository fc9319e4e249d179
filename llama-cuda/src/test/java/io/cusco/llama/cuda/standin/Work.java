package io.cusco.llama.cuda.standin;

/// What a call puts into a stream: run later by the stream, or kept as a node of a graph and run at
/// every launch of it. Everything the call passed by value has been copied by then.
///
/// @param kind the type of the graph node that a capture makes of it
/// @param what for messages: `rmsnorm`, `copy of 64 bytes to 0x7f...`
/// @param action the work; throws what the device would report
record Work(Kind kind, String what, Runnable action) {

  /// The node types of CUgraphNodeType that a capture here can give, in the order of their codes.
  enum Kind {
    KERNEL(0),
    MEMCPY(1),
    MEMSET(2),
    GRAPH(4),
    EMPTY(5);

    private final int code;

    Kind(int code) {
      this.code = code;
    }

    int code() {
      return code;
    }
  }
}
