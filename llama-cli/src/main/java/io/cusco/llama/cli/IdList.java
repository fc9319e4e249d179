package io.cusco.llama.cli;

import java.util.Arrays;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// Reads `1,2,3`, spaces allowed, as token ids.
final class IdList implements ITypeConverter<int[]> {
  @Override
  public int[] convert(String text) {
    String trimmed = text.strip();
    if (trimmed.isEmpty()) {
      return new int[0];
    }
    try {
      return Arrays.stream(trimmed.split("[,\\s]+")).mapToInt(Integer::parseInt).toArray();
    } catch (NumberFormatException e) {
      throw new TypeConversionException("expected token ids such as 1,2,3: " + e.getMessage());
    }
  }
}
