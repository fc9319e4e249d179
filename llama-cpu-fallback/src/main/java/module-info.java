/// The pure-Java backend.
module io.cusco.llama.cpu {
  requires io.cusco.llama;
  requires jdk.management;
  requires org.slf4j;
  requires static jdk.incubator.vector;

  provides io.cusco.llama.backend.BackendProvider with
      io.cusco.llama.cpu.CpuBackendProvider;
}
