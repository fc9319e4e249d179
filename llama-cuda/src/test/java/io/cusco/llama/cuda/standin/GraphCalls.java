package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_VALUE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_OPERATING_SYSTEM;

import io.cusco.llama.cuda.bindings.driver.CUgraphExecUpdateResultInfo_st;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/// Graphs: what a capture gave, made executable, launched, updated.
final class GraphCalls {
  private final StandIn standIn;

  GraphCalls(StandIn standIn) {
    this.standIn = standIn;
  }

  private SimulatedGraph graph(MemorySegment handle) {
    standIn.gpu().context();
    return standIn.gpu().handles().get(handle, SimulatedGraph.class);
  }

  private GraphExec executable(MemorySegment handle) {
    standIn.gpu().context();
    return standIn.gpu().handles().get(handle, GraphExec.class);
  }

  int cuGraphDestroy(MemorySegment graph) {
    graph(graph);
    standIn.gpu().handles().remove(graph, SimulatedGraph.class);
    return 0;
  }

  /// The number of nodes, and as many of them as fit where there is an array.
  int cuGraphGetNodes(MemorySegment graph, MemorySegment nodes, MemorySegment numNodes) {
    List<SimulatedGraph.Node> all = graph(graph).nodes();
    if (nodes.address() != 0) {
      long capacity = HostMemory.getLong(numNodes, "numNodes");
      MemorySegment array = HostMemory.at(nodes, 8 * capacity, "nodes");
      for (int i = 0; i < capacity; i++) {
        long handle = i < all.size() ? standIn.gpu().handles().register(all.get(i)).address() : 0;
        array.set(ValueLayout.JAVA_LONG, 8L * i, handle);
      }
    }
    HostMemory.putLong(numNodes, all.size());
    return 0;
  }

  int cuGraphNodeGetType(MemorySegment node, MemorySegment type) {
    standIn.gpu().context();
    HostMemory.putInt(
        type, standIn.gpu().handles().get(node, SimulatedGraph.Node.class).work().kind().code());
    return 0;
  }

  int cuGraphInstantiateWithFlags(MemorySegment executable, MemorySegment graph, long flags) {
    StandInFault.require(flags == 0, CUDA_ERROR_INVALID_VALUE, "flags %s are not emulated", flags);
    SimulatedGraph copy = new SimulatedGraph("an executable graph");
    copy.replaceWith(graph(graph));
    HostMemory.putPointer(executable, standIn.gpu().handles().register(new GraphExec(copy)));
    return 0;
  }

  int cuGraphExecDestroy(MemorySegment executable) {
    executable(executable);
    standIn.gpu().handles().remove(executable, GraphExec.class);
    return 0;
  }

  /// Checks its arguments; there is nothing to upload.
  int cuGraphUpload(MemorySegment executable, MemorySegment stream) {
    executable(executable);
    StreamCalls.stream(standIn.gpu(), stream);
    return 0;
  }

  /// Queues one run of the graph as it is now: a later update does not change it.
  int cuGraphLaunch(MemorySegment executable, MemorySegment stream) {
    SimulatedStream target = StreamCalls.stream(standIn.gpu(), stream);
    SimulatedGraph now = new SimulatedGraph("a launched graph");
    now.replaceWith(executable(executable).graph());
    Random random = standIn.gpu().random();
    Work run = new Work(Work.Kind.GRAPH, "launch of " + now, () -> now.run(random));
    standIn.gpu().context().queues().submit(target, run);
    return 0;
  }

  int cuGraphExecUpdate_v2(MemorySegment executable, MemorySegment graph, MemorySegment result) {
    GraphExec updated = executable(executable);
    SimulatedGraph other = graph(graph);
    MemorySegment answer =
        HostMemory.at(result, CUgraphExecUpdateResultInfo_st.sizeof(), "resultInfo");
    answer.fill((byte) 0);
    Optional<SimulatedGraph.Difference> difference = updated.graph().differenceTo(other);
    if (difference.isPresent()) {
      SimulatedGraph.Difference found = difference.get();
      CUgraphExecUpdateResultInfo_st.result(answer, found.result());
      if (found.node() >= 0) {
        CUgraphExecUpdateResultInfo_st.errorNode(
            answer, standIn.gpu().handles().register(other.nodes().get(found.node())));
      }
      throw new StandInFault(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, found.text());
    }
    updated.graph().replaceWith(other);
    return 0;
  }

  /// Writes the nodes in Graphviz's language.
  int cuGraphDebugDotPrint(MemorySegment graph, MemorySegment path, int flags) {
    StringBuilder dot = new StringBuilder("digraph captured {\n");
    List<SimulatedGraph.Node> nodes = graph(graph).nodes();
    for (int i = 0; i < nodes.size(); i++) {
      dot.append("  n%s [label=\"%s\"];%n".formatted(i, nodes.get(i).work().what()));
      int node = i;
      nodes.get(i).before().stream().forEach(b -> dot.append("  n%s -> n%s;%n".formatted(b, node)));
    }
    try {
      Files.writeString(Path.of(HostMemory.getString(path, "path")), dot.append("}\n"));
    } catch (IOException e) {
      throw new StandInFault(CUDA_ERROR_OPERATING_SYSTEM, e.toString());
    }
    return 0;
  }
}
