package io.cusco.llama.cuda.standin;

/// An executable graph: a copy of the nodes of a graph, from the time of its instantiation or last
/// update.
record GraphExec(SimulatedGraph graph) {
  @Override
  public String toString() {
    return "an executable graph of " + graph.nodes().size() + " nodes";
  }
}
