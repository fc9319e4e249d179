package io.cusco.llama.engine;

import io.cusco.llama.sampling.Sampler;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.sampling.TokenHistory;
import io.cusco.llama.sampling.Uniforms;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// What a request must give, worked out without an engine: one token after another, all text
/// decoded anew after each.
final class OneAtATime {
  private OneAtATime() {}

  record Expected(List<Integer> ids, String text, FinishReason reason) {}

  /// @param sample which of the request's samples
  static Expected run(
      FakeLlama model, Request request, int sample, List<Integer> endOfGeneration, int maxLength) {
    Sampler sampler = new Sampler(model.config().vocabSize());
    float[] logits = new float[model.config().vocabSize()];
    TokenHistory history = new TokenHistory();
    int[] prompt = request.promptIds();
    Arrays.stream(prompt).forEach(history::addPrompt);
    long seed = Uniforms.seedOfSample(request.sampling().seed(), sample);
    StopConditions stop = request.stop();
    List<Integer> ids = new ArrayList<>();
    while (true) {
      int[] context = Arrays.copyOf(prompt, prompt.length + ids.size());
      for (int i = 0; i < ids.size(); i++) {
        context[prompt.length + i] = ids.get(i);
      }
      model.fillLogits(context, logits);
      double uniform = Uniforms.at(seed, context.length);
      int id = sampler.sample(logits, request.sampling(), history, uniform);
      history.addOutput(id);
      List<Integer> before = List.copyOf(ids);
      ids.add(id);
      if (stop.stopTokenIds().contains(id) || (!stop.ignoreEos() && endOfGeneration.contains(id))) {
        return ended(ids, LetterDecoder.decode(before), stop, FinishReason.STOP);
      }
      boolean full = ids.size() == stop.maxTokens() || context.length + 1 == maxLength;
      String text = LetterDecoder.decode(ids);
      // Half a character at the end may still become a whole one.
      String sure =
          LetterDecoder.endsInHalf(ids) && !full ? text.substring(0, text.length() - 1) : text;
      if (cutAtStop(sure, stop.stopStrings()).length() < sure.length()) {
        return ended(ids, sure, stop, FinishReason.STOP);
      }
      if (full) {
        return ended(ids, text, stop, FinishReason.LENGTH);
      }
    }
  }

  private static Expected ended(
      List<Integer> ids, String text, StopConditions stop, FinishReason reason) {
    return new Expected(ids, cutAtStop(text, stop.stopStrings()), reason);
  }

  /// The text before the stop string that ends first.
  static String cutAtStop(String text, List<String> stops) {
    for (int end = 1; end <= text.length(); end++) {
      int length = 0;
      for (String stop : stops) {
        if (text.substring(0, end).endsWith(stop)) {
          length = Math.max(length, stop.length());
        }
      }
      if (length > 0) {
        return text.substring(0, end - length);
      }
    }
    return text;
  }
}
