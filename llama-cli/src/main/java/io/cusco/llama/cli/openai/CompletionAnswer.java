package io.cusco.llama.cli.openai;

import io.cusco.llama.engine.Generation;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;

/// The answer to a completion.
///
/// @param prompts what became of each prompt, in order
/// @param writer makes one body of them
record CompletionAnswer(List<PromptAnswer> prompts, Writer writer) implements ApiAnswer {
  /// How the answers to a request's prompts become one body.
  @FunctionalInterface
  interface Writer {
    String body(String id, long createdSeconds, List<PromptAnswer> answers);
  }

  /// Runs prompts side by side.
  ///
  /// @throws RuntimeException as [ApiRequest#start]; nothing is left under way then
  static CompletableFuture<ApiAnswer> of(List<PromptJob> jobs, Engines engines, Writer writer) {
    List<Generation> submitted = new CopyOnWriteArrayList<>();
    List<CompletableFuture<PromptAnswer>> answers;
    try {
      answers = jobs.stream().map(job -> job.run(engines, submitted::add)).toList();
    } catch (RuntimeException e) {
      submitted.forEach(Generation::cancel);
      throw e;
    }
    return CompletableFuture.allOf(answers.toArray(CompletableFuture<?>[]::new))
        .thenApply(_ ->
            new CompletionAnswer(answers.stream().map(CompletableFuture::join).toList(), writer));
  }

  @Override
  public String body(String id, long createdSeconds) {
    return writer.body(id, createdSeconds, prompts);
  }

  @Override
  public Usage usage() {
    return Usage.of(prompts);
  }
}
