package io.cusco.llama.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.checkpoint.CheckpointException;
import io.cusco.llama.tokenizer.JsonScanner.Token;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/// The scanner against Jackson, which reads everything else here.
class JsonScannerTest {
  private static final int ROUNDS = 4000;

  private static final String[] PIECES = {
    "a",
    "\u0120the",
    "\u20ac",
    "\ud83d\ude00",
    " ",
    "\\\"",
    "\\\\",
    "\\/",
    "\\b\\f\\n\\r\\t",
    "\\u0120",
    "\\u00e9",
    "\\ud83d\\uDE00",
    "\u007f",
  };

  /// Unpaired surrogates, which Jackson takes in values and not in names.
  private static final String[] UNPAIRED = {"\\ud83d", "\\ude00\\ud83d\\u0041"};

  @Test
  void treesAreThoseOfJacksonSeed11() {
    Random random = new Random(11);
    for (int i = 0; i < ROUNDS; i++) {
      String json = object(random, 0);
      byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
      assertThat(scan(bytes)).as("seed 11, round %d: %s", i, json).isEqualTo(jackson(bytes));
    }
  }

  /// Jackson lets pass what is no UTF-8, and refuses an unpaired surrogate in a name; nothing else
  /// separates the two.
  @Test
  void damagedJsonIsRefusedAsByJacksonSeed12() {
    Random random = new Random(12);
    int numAccepted = 0;
    for (int i = 0; i < ROUNDS; i++) {
      byte[] bytes = object(random, 0).getBytes(StandardCharsets.UTF_8);
      String marks = "\"\\{}[],:0123456789.-+eE \n\u0001tfnu";
      for (int flips = 1 + random.nextInt(2); flips > 0; flips--) {
        bytes[1 + random.nextInt(bytes.length - 1)] =
            random.nextInt(8) == 0
                ? (byte) random.nextInt(256)
                : (byte) marks.charAt(random.nextInt(marks.length()));
      }
      Object expected;
      try {
        expected = jackson(bytes);
      } catch (JacksonException e) {
        if (e.getMessage().contains("surrogate")) {
          continue;
        }
        String shown = new String(bytes, StandardCharsets.ISO_8859_1);
        assertThatThrownBy(() -> scan(bytes), "seed 12, round %d: %s", i, shown)
            .isInstanceOf(CheckpointException.class)
            .hasMessageContaining("JSON");
        continue;
      }
      if (isUtf8(bytes)) {
        numAccepted++;
        assertThat(scan(bytes))
            .as("seed 12, round %d: %s", i, new String(bytes, StandardCharsets.UTF_8))
            .isEqualTo(expected);
      }
    }
    assertThat(numAccepted).isGreaterThan(ROUNDS / 100);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"a\" 1}|colon is missing at byte 5",
        "{\"a\":1 \"b\":2}|comma is missing at byte 7",
        "{\"a\":1,}|name is missing at byte 7",
        "[1,]|value is missing at byte 3",
        "[01]|value is missing at byte 1",
        "[1.]|no digits at byte 3",
        "[nul]|value is missing at byte 4",
        "[\"\\x\"]|escape that there is not",
        "[\"\\u12\"]|less than four digits",
        "[\"a|ends too early, after 3 bytes",
        "[\"\\|ends too early, after 3 bytes",
        "[1}|comma is missing at byte 2",
      })
  void aFaultIsSaidWithItsPlace(String json, String fault) {
    assertThatThrownBy(() -> scan(json.getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("test.json")
        .hasMessageContaining(fault);
  }

  @Test
  void whatIsNotUtf8IsRefused() {
    byte[] json = {'[', '"', (byte) 0xC3, '"', ']'};
    assertThatThrownBy(() -> scan(json)).hasMessageContaining("not UTF-8 at byte 2");
  }

  @Test
  void skippedChildrenLeaveTheScannerAtTheirEnd() {
    byte[] json = "[[1,{\"a\":[]}],{\"b\":[2]},3,4]".getBytes(StandardCharsets.UTF_8);
    JsonScanner scanner = new JsonScanner("test.json", json);
    scanner.next();
    for (int i = 0; i < 3; i++) {
      scanner.next();
      scanner.skipChildren();
    }
    assertThat(scanner.token()).isEqualTo(Token.INTEGER);
    assertThat(scanner.integer()).isEqualTo(3);
    assertThat(scanner.next()).isEqualTo(Token.INTEGER);
    assertThat(scanner.next()).isEqualTo(Token.END_ARRAY);
  }

  private static Object scan(byte[] json) {
    JsonScanner scanner = new JsonScanner("test.json", json);
    scanner.next();
    return JsonTree.read(scanner);
  }

  private static Object jackson(byte[] json) {
    try (JsonParser parser = new JsonFactory().createParser(ObjectReadContext.empty(), json)) {
      parser.nextToken();
      return tree(parser);
    }
  }

  private static Object tree(JsonParser parser) {
    return switch (parser.currentToken()) {
      case START_OBJECT -> {
        Map<String, Object> object = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = wellFormed(parser.currentName());
          parser.nextToken();
          object.put(name, tree(parser));
        }
        yield object;
      }
      case START_ARRAY -> {
        List<Object> array = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          array.add(tree(parser));
        }
        yield array;
      }
      case VALUE_STRING -> wellFormed(parser.getString());
      case VALUE_NUMBER_INT -> parser.getNumberValue() instanceof Integer value ? value : null;
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      default -> null;
    };
  }

  private static String wellFormed(String text) {
    return new String(Utf8.encode(text), StandardCharsets.UTF_8);
  }

  private static boolean isUtf8(byte[] bytes) {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
      return true;
    } catch (CharacterCodingException _) {
      return false;
    }
  }

  private static String object(Random random, int depth) {
    StringBuilder json = new StringBuilder("{");
    for (int members = random.nextInt(4); members > 0; members--) {
      json.append(space(random)).append(string(random)).append(space(random)).append(':');
      json.append(value(random, depth + 1)).append(members > 1 ? "," : space(random));
    }
    return json.append('}').toString();
  }

  private static String array(Random random, int depth) {
    StringBuilder json = new StringBuilder("[");
    for (int elements = random.nextInt(4); elements > 0; elements--) {
      json.append(value(random, depth + 1)).append(elements > 1 ? "," : space(random));
    }
    return json.append(']').toString();
  }

  private static String value(Random random, int depth) {
    String value =
        switch (random.nextInt(depth > 5 ? 8 : 10)) {
          case 0 -> "null";
          case 1 -> random.nextBoolean() ? "true" : "false";
          case 2 -> Integer.toString(random.nextInt());
          case 3 -> Long.toString(random.nextLong() >> random.nextInt(64));
          case 4 -> Double.toString(random.nextGaussian() * Math.pow(10, random.nextInt(40) - 20));
          case 5 -> random.nextBoolean() ? "-2147483648" : "2147483648";
          case 6 -> string(random);
          case 7 -> '"' + UNPAIRED[random.nextInt(UNPAIRED.length)] + '"';
          case 8 -> array(random, depth);
          default -> object(random, depth);
        };
    return space(random) + value + space(random);
  }

  private static String string(Random random) {
    StringBuilder json = new StringBuilder("\"");
    for (int pieces = random.nextInt(30) == 0 ? 80 : random.nextInt(4); pieces > 0; pieces--) {
      json.append(PIECES[random.nextInt(PIECES.length)]);
    }
    return json.append('"').toString();
  }

  private static String space(Random random) {
    return random.nextInt(4) == 0 ? " \n\r\t".substring(random.nextInt(5)) : "";
  }
}
