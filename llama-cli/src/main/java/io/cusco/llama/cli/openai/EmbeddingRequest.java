package io.cusco.llama.cli.openai;

import io.cusco.llama.cli.json.Json;
import io.cusco.llama.engine.EmbeddingParams;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import tools.jackson.core.JsonGenerator;

/// `/v1/embeddings`.
///
/// @param model the name of the model that answers
/// @param texts the inputs as token ids
/// @param base64 whether vectors are written as the base64 of their float32 values, little-endian,
///   or as lists of numbers
record EmbeddingRequest(String model, List<int[]> texts, EmbeddingParams params, boolean base64)
    implements ApiRequest {

  EmbeddingRequest {
    texts = List.copyOf(texts);
  }

  @Override
  public CompletableFuture<ApiAnswer> start(Engines engines) {
    List<CompletableFuture<float[]>> vectors = new ArrayList<>();
    try {
      for (int[] text : texts) {
        vectors.add(engines.llama().engine().embed(text, params));
      }
    } catch (RuntimeException e) {
      vectors.forEach(vector -> vector.cancel(false));
      throw e;
    }
    return CompletableFuture.allOf(vectors.toArray(CompletableFuture<?>[]::new))
        .thenApply(_ -> new Answer(vectors.stream().map(CompletableFuture::join).toList()));
  }

  private final class Answer implements ApiAnswer {
    private final List<float[]> vectors;

    Answer(List<float[]> vectors) {
      this.vectors = vectors;
    }

    /// The API gives this kind of answer neither an id nor a time.
    @Override
    public String body(String id, long createdSeconds) {
      return Json.object(json -> {
        json.writeStringProperty("object", "list");
        json.writeArrayPropertyStart("data");
        for (int i = 0; i < vectors.size(); i++) {
          json.writeStartObject();
          json.writeStringProperty("object", "embedding");
          json.writeNumberProperty("index", i);
          writeVector(json, vectors.get(i));
          json.writeEndObject();
        }
        json.writeEndArray();
        json.writeStringProperty("model", model);
        json.writeObjectPropertyStart("usage");
        json.writeNumberProperty("prompt_tokens", usage().promptTokens());
        json.writeNumberProperty("total_tokens", usage().promptTokens());
        json.writeEndObject();
      });
    }

    private void writeVector(JsonGenerator json, float[] vector) {
      if (base64) {
        ByteBuffer bytes =
            ByteBuffer.allocate(vector.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(vector);
        json.writeStringProperty("embedding", Base64.getEncoder().encodeToString(bytes.array()));
        return;
      }
      json.writeArrayPropertyStart("embedding");
      for (float value : vector) {
        json.writeNumber(value);
      }
      json.writeEndArray();
    }

    @Override
    public Usage usage() {
      return new Usage(texts.stream().mapToLong(text -> text.length).sum(), 0, 0);
    }
  }
}
