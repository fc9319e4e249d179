/// The application: commands, terminal, logging. Backends are found at run time.
module io.cusco.llama.cli {
  requires transitive io.cusco.llama;
  requires ch.qos.logback.classic;
  requires ch.qos.logback.core;
  requires info.picocli;
  requires jdk.incubator.vector;
  requires jdk.management;
  requires org.jline.reader;
  requires org.jline.terminal;
  requires org.slf4j;
  requires tools.jackson.core;

  exports io.cusco.llama.cli.demo;

  opens io.cusco.llama.cli to
      info.picocli;

  provides ch.qos.logback.classic.spi.Configurator with
      io.cusco.llama.cli.Logging;
}
