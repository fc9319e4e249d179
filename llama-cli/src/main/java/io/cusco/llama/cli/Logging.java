package io.cusco.llama.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.AppenderBase;
import ch.qos.logback.core.spi.ContextAwareBase;
import io.cusco.llama.backend.Backends;
import org.slf4j.LoggerFactory;

/// Logging of the program: bare messages on stderr. Warnings, and why the automatic choice passed
/// over a backend; with `--verbose` also what the library says it chose.
///
/// Public because Logback finds it as a service; configuring it here instead of in a file keeps an
/// XML parser out of the start.
public final class Logging extends ContextAwareBase implements Configurator {

  /// For Logback.
  public Logging() {}

  /// Leaves everything to [#install]; without this Logback would print debug lines on stdout. Where
  /// this jar is but a library, for the sake of the bundled model, logging is not its business.
  @Override
  public ExecutionStatus configure(LoggerContext context) {
    if (System.getProperty(Terminals.PROPERTY) == null) {
      return ExecutionStatus.INVOKE_NEXT_IF_ANY;
    }
    context.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(Level.WARN);
    return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
  }

  static void install(Output err, boolean verbose) {
    LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
    StderrAppender appender = new StderrAppender(err, verbose);
    appender.setContext(context);
    appender.start();
    Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    root.detachAndStopAllAppenders();
    root.addAppender(appender);
    root.setLevel(Level.WARN);
    context.getLogger("io.cusco").setLevel(verbose ? Level.INFO : Level.WARN);
    context.getLogger(Backends.class).setLevel(Level.INFO);
  }

  private static final class StderrAppender extends AppenderBase<ILoggingEvent> {
    private final Output err;
    private final boolean stackTraces;

    StderrAppender(Output err, boolean stackTraces) {
      this.err = err;
      this.stackTraces = stackTraces;
    }

    @Override
    protected void append(ILoggingEvent event) {
      IThrowableProxy thrown = event.getThrowableProxy();
      String message = event.getFormattedMessage();
      if (thrown != null) {
        message +=
            stackTraces ? "\n" + ThrowableProxyUtil.asString(thrown) : ": " + thrown.getMessage();
      }
      err.line("llama: " + message);
    }
  }
}
