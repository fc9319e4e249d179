/// Cusco core: checkpoint formats, tokenizers, chat formats, sampling maths, the engine and the
/// public API. Backends are found with `ServiceLoader`; core never names one.
module io.cusco.llama {
  requires org.slf4j;
  requires tools.jackson.core;

  exports io.cusco.llama;
  exports io.cusco.llama.backend;
  exports io.cusco.llama.chat;
  exports io.cusco.llama.checkpoint;
  exports io.cusco.llama.config;
  exports io.cusco.llama.engine;
  exports io.cusco.llama.guard;
  exports io.cusco.llama.memory;
  exports io.cusco.llama.model;
  exports io.cusco.llama.reward;
  exports io.cusco.llama.sampling;
  exports io.cusco.llama.tokenizer;

  uses io.cusco.llama.backend.BackendProvider;
}
