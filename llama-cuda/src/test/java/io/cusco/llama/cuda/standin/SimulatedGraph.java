package io.cusco.llama.cuda.standin;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/// A graph, or the executable copy of one: nodes, and for each the nodes that come before it.
final class SimulatedGraph {
  private final String name;
  private final List<Node> nodes = new ArrayList<>();

  SimulatedGraph(String name) {
    this.name = name;
  }

  /// One node.
  ///
  /// @param before the indices of every node that has to be done first
  record Node(Work work, BitSet before) {
    @Override
    public String toString() {
      return "a graph node (" + work.what() + ")";
    }
  }

  List<Node> nodes() {
    return nodes;
  }

  int add(Work work, BitSet before) {
    nodes.add(new Node(work, (BitSet) before.clone()));
    return nodes.size() - 1;
  }

  /// Runs every node once, in a random one of the orders that the dependencies allow.
  void run(Random random) {
    int[] missing = new int[nodes.size()];
    List<Integer> ready = new ArrayList<>();
    for (int i = 0; i < missing.length; i++) {
      missing[i] = nodes.get(i).before().cardinality();
      if (missing[i] == 0) {
        ready.add(i);
      }
    }
    while (!ready.isEmpty()) {
      Collections.swap(ready, random.nextInt(ready.size()), ready.size() - 1);
      int chosen = ready.removeLast();
      nodes.get(chosen).work().action().run();
      for (int i = chosen + 1; i < missing.length; i++) {
        if (nodes.get(i).before().get(chosen) && --missing[i] == 0) {
          ready.add(i);
        }
      }
    }
  }

  /// Why another graph cannot take this one's place in an executable graph, as
  /// CUgraphExecUpdateResult and the first node that differs; empty if it can.
  Optional<Difference> differenceTo(SimulatedGraph other) {
    if (nodes.size() != other.nodes.size()) {
      return Optional.of(
          new Difference(2, -1, "%s nodes, not %s".formatted(other.nodes.size(), nodes.size())));
    }
    for (int i = 0; i < nodes.size(); i++) {
      Node mine = nodes.get(i);
      Node theirs = other.nodes.get(i);
      if (mine.work().kind() != theirs.work().kind()) {
        return Optional.of(new Difference(3, i, theirs + " in place of " + mine));
      }
      if (!mine.before().equals(theirs.before())) {
        return Optional.of(new Difference(2, i, theirs + " has other dependencies"));
      }
    }
    return Optional.empty();
  }

  /// @param result a CUgraphExecUpdateResult
  /// @param node index of the first node that differs, or -1
  record Difference(int result, int node, String text) {}

  void replaceWith(SimulatedGraph other) {
    nodes.clear();
    nodes.addAll(other.nodes);
  }

  @Override
  public String toString() {
    return name + " of " + nodes.size() + " nodes";
  }
}
