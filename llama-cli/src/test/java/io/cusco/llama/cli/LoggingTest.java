package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator.ExecutionStatus;
import org.junit.jupiter.api.Test;

class LoggingTest {
  @Test
  void onlyTheLaunchedProgramConfiguresLogging() {
    assertThat(System.getProperty(Terminals.PROPERTY)).isNull();
    assertThat(new Logging().configure(new LoggerContext()))
        .isEqualTo(ExecutionStatus.INVOKE_NEXT_IF_ANY);
    System.setProperty(Terminals.PROPERTY, "");
    try {
      assertThat(new Logging().configure(new LoggerContext()))
          .isEqualTo(ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY);
    } finally {
      System.clearProperty(Terminals.PROPERTY);
    }
  }
}
