package io.cusco.llama.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.testkit.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/// Every case of sampler.json: Hugging Face transformers' processors in float64.
class SamplerReferenceTest {
  private static final double TOLERANCE = 1e-6;

  @Test
  void everyDistributionEqualsTransformers() throws Exception {
    Path file = TestData.require("sampler").resolve("sampler.json");
    Map<?, ?> root = (Map<?, ?>) readJson(file);
    List<?> vectors = (List<?>) root.get("vectors");
    List<?> cases = (List<?>) root.get("cases");
    for (Object each : cases) {
      Map<?, ?> expected = (Map<?, ?>) each;
      check(expected, logits((Map<?, ?>) vectors.get(integer(expected, "vec"))));
    }
    assertThat(cases).isNotEmpty();
    System.out.printf("sampler.json: %d cases%n", cases.size());
  }

  private static void check(Map<?, ?> expected, float[] logits) {
    Map<?, ?> params = (Map<?, ?>) expected.get("params");
    SamplingParams.Builder builder = SamplingParams.builder();
    TokenHistory history = new TokenHistory();
    params.forEach((name, value) -> {
      switch ((String) name) {
        case "temperature" -> builder.temperature(number(value));
        case "top_k" -> builder.topK((int) number(value));
        case "top_p" -> builder.topP(number(value));
        case "min_p" -> builder.minP(number(value));
        case "repetition_penalty" -> builder.repetitionPenalty(number(value));
        case "history" -> ((List<?>) value).forEach(id -> history.addPrompt((int) number(id)));
        default -> throw new IllegalArgumentException("unknown parameter " + name);
      }
    });
    Sampler sampler = new Sampler(logits.length);

    Sampler.Distribution actual = sampler.distribution(logits, builder.build(), history);

    // Where entries tie at a cut the reference keeps all of them, and so does the sampler.
    int[] kept =
        ((List<?>) expected.get("kept")).stream().mapToInt(id -> (int) number(id)).toArray();
    assertThat(actual.ids()).as("case %s, %s", expected.get("id"), params).isEqualTo(kept);
    List<?> probs = (List<?>) expected.get("probs");
    for (int i = 0; i < kept.length; i++) {
      assertThat(actual.probs()[i])
          .as("case %s, probability of %d", expected.get("id"), kept[i])
          .isCloseTo(number(probs.get(i)), within(TOLERANCE));
    }
    SamplingParams greedy =
        SamplingParams.builder()
            .temperature(0)
            .repetitionPenalty(builder.build().repetitionPenalty())
            .build();
    assertThat(sampler.sample(logits, greedy, history, 0)).isEqualTo(integer(expected, "argmax"));
  }

  private static float[] logits(Map<?, ?> vector) {
    List<?> values = (List<?>) vector.get("logits");
    float[] logits = new float[values.size()];
    for (int i = 0; i < logits.length; i++) {
      Object value = values.get(i);
      logits[i] = "-inf".equals(value) ? Float.NEGATIVE_INFINITY : (float) number(value);
    }
    return logits;
  }

  private static int integer(Map<?, ?> object, String name) {
    return (int) number(object.get(name));
  }

  private static double number(Object value) {
    return ((Number) value).doubleValue();
  }

  private static Object readJson(Path file) throws Exception {
    JsonFactory factory = JsonFactory.builder().build();
    try (JsonParser parser =
        factory.createParser(ObjectReadContext.empty(), Files.newInputStream(file))) {
      parser.nextToken();
      return readValue(parser);
    }
  }

  private static Object readValue(JsonParser parser) {
    return switch (parser.currentToken()) {
      case START_OBJECT -> {
        Map<String, Object> object = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          object.put(name, readValue(parser));
        }
        yield object;
      }
      case START_ARRAY -> {
        List<Object> array = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          array.add(readValue(parser));
        }
        yield array;
      }
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      default -> parser.getString();
    };
  }
}
