package io.cusco.llama.cli;

import io.cusco.llama.engine.EngineOptions;
import java.util.Locale;
import picocli.CommandLine.Option;

/// How the engine serves what it is asked; the tokens are the same as far as logits agree.
final class EngineSwitches {
  @Option(
      names = "--prefix-cache",
      paramLabel = "ON|OFF",
      defaultValue = "on",
      converter = SwitchConverter.class,
      description = {
        "Keep keys and values of full blocks, and share them between sequences that begin with the",
        "same tokens (default: ${DEFAULT-VALUE})."
      })
  private Switch prefixCache;

  @Option(
      names = "--overlap",
      paramLabel = "ON|OFF",
      defaultValue = "on",
      converter = SwitchConverter.class,
      description = {
        "On a GPU, queue a step before the tokens of the one before it are read (default:",
        "${DEFAULT-VALUE})."
      })
  private Switch overlap;

  EngineOptions engineOptions() {
    return EngineOptions.DEFAULT
        .withPrefixCache(prefixCache == Switch.ON)
        .withOverlap(overlap == Switch.ON);
  }

  /// picocli takes true and false alone for a boolean.
  enum Switch {
    ON,
    OFF
  }

  static final class SwitchConverter implements picocli.CommandLine.ITypeConverter<Switch> {
    @Override
    public Switch convert(String text) {
      return switch (text.toLowerCase(Locale.ROOT)) {
        case "on" -> Switch.ON;
        case "off" -> Switch.OFF;
        default -> throw new picocli.CommandLine.TypeConversionException("expected on or off");
      };
    }
  }
}
