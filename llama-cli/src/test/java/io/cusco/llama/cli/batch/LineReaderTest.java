package io.cusco.llama.cli.batch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class LineReaderTest {
  private static List<LineReader.Line> read(InputStream in, int maxBytes) throws IOException {
    LineReader reader = new LineReader(in, maxBytes);
    List<LineReader.Line> lines = new ArrayList<>();
    for (LineReader.Line line = reader.next(); line != null; line = reader.next()) {
      lines.add(line);
    }
    return lines;
  }

  /// The obvious twin: all bytes at once.
  private static List<String> split(byte[] bytes) {
    List<String> lines = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    for (byte each : bytes) {
      if (each == '\n') {
        lines.add(line.toString());
        line.setLength(0);
      } else {
        line.append((char) each);
      }
    }
    if (!line.isEmpty()) {
      lines.add(line.toString());
    }
    return lines;
  }

  @Test
  void linesOfAnyLengthAreThoseOfTheTwin() throws IOException {
    long seed = System.nanoTime();
    System.out.println("LineReaderTest seed " + seed);
    Random random = new Random(seed);
    for (int round = 0; round < 50; round++) {
      byte[] bytes = new byte[random.nextInt(300_000)];
      int meanLength = 1 + random.nextInt(100_000);
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] = (byte) (random.nextInt(meanLength) == 0 ? '\n' : 'a' + random.nextInt(26));
      }
      List<LineReader.Line> lines = read(new ByteArrayInputStream(bytes), Integer.MAX_VALUE);
      List<String> expected = split(bytes);
      assertThat(lines).hasSameSizeAs(expected);
      long end = 0;
      for (int i = 0; i < lines.size(); i++) {
        LineReader.Line line = lines.get(i);
        assertThat(new String(line.bytes(), StandardCharsets.US_ASCII)).isEqualTo(expected.get(i));
        assertThat(line.number()).isEqualTo(i + 1);
        end += expected.get(i).length() + (line.isWhole() ? 1 : 0);
        assertThat(line.end()).isEqualTo(end);
        assertThat(line.isWhole())
            .isEqualTo(i < lines.size() - 1 || bytes[bytes.length - 1] == '\n');
      }
      assertThat(end).isEqualTo(bytes.length);
    }
  }

  @Test
  void aLineBeyondTheLimitIsPassedOver() throws IOException {
    String text = "ab\n" + "x".repeat(200_000) + "\ncd\n";
    List<LineReader.Line> lines =
        read(new ByteArrayInputStream(text.getBytes(StandardCharsets.US_ASCII)), 100);
    assertThat(lines).extracting(LineReader.Line::isTooLong).containsExactly(false, true, false);
    assertThat(lines.get(1).bytes()).isEmpty();
    assertThat(lines.get(2).bytes()).containsExactly('c', 'd');
  }
}
