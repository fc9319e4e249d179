package io.cusco.llama.cuda.standin;

/// A return code of one of the libraries, with its name in the C header.
sealed interface Status permits CuResult, CublasStatus {

  int code();

  String name();

  /// What the library says about this code in its error string.
  String text();
}
