package io.cusco.llama.cuda.standin;

/// A cublasLt handle. It holds nothing: streams and workspaces come with every call.
record LtHandle() {
  @Override
  public String toString() {
    return "a cublasLt handle";
  }
}
