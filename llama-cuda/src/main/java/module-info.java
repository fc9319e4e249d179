/// The CUDA backend.
module io.cusco.llama.cuda {
  requires io.cusco.llama;
  requires org.slf4j;

  provides io.cusco.llama.backend.BackendProvider with
      io.cusco.llama.cuda.CudaBackendProvider;
}
