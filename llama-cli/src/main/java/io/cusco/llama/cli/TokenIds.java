package io.cusco.llama.cli;

import java.util.Arrays;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// The value of `--ids`: token ids, separated by commas or spaces.
record TokenIds(int[] values) {

  static final class Converter implements ITypeConverter<TokenIds> {
    @Override
    public TokenIds convert(String text) {
      String trimmed = text.strip();
      if (trimmed.isEmpty()) {
        return new TokenIds(new int[0]);
      }
      try {
        return new TokenIds(
            Arrays.stream(trimmed.split("\\s*,\\s*|\\s+", -1))
                .mapToInt(Integer::parseInt)
                .toArray());
      } catch (NumberFormatException e) {
        throw new TypeConversionException("expected token ids such as 1,2,3: " + e.getMessage());
      }
    }
  }
}
