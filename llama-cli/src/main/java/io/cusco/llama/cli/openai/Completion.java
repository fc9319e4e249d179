package io.cusco.llama.cli.openai;

import io.cusco.llama.engine.Request;
import java.util.List;

/// A chat or text completion: what to hand to the engines, and how to answer with what comes back.
public sealed interface Completion extends ApiRequest permits ChatCompletion, TextCompletion {
  /// One engine request for each prompt, in order; each asks for as many samples as the prompt has
  /// candidates.
  List<Request> requests();
}
