package io.cusco.llama.cli.openai;

import io.cusco.llama.engine.FinishReason;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.guard.GuardVerdict;
import io.cusco.llama.reward.Candidate;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/// One prompt of a completion, and what is to become of it.
///
/// ```
/// prompt --[guard]--> candidates --score each--> ranked --> the best --[guard]--> choices
/// ```
///
/// @param request asks for as many samples as there are candidates
/// @param numChoices how many of them are given out
/// @param ranked whether the candidates are scored and the best given out, or all in order
/// @param generates whether anything is; without, the answer is the prompt alone
/// @param echoLogprobs how many alternatives come with the log-probabilities of the prompt's
///   tokens; empty if nobody asks for these
/// @param transcript the prompt for other models
record PromptJob(
    Request request,
    int numChoices,
    boolean ranked,
    boolean generates,
    OptionalInt echoLogprobs,
    Transcript transcript) {

  private static final Generation.Timings NO_TIME = new Generation.Timings(0, 0, 0);

  PromptJob withEchoLogprobs(int top) {
    return new PromptJob(request, numChoices, ranked, generates, OptionalInt.of(top), transcript);
  }

  PromptJob withoutGeneration() {
    return new PromptJob(request, numChoices, false, false, echoLogprobs, transcript);
  }

  /// @param submitted hears of each generation that is under way
  /// @throws RuntimeException as [ApiRequest#start]
  CompletableFuture<PromptAnswer> run(Engines engines, Consumer<Generation> submitted) {
    Optional<Moderation> before = engines.moderation().filter(Moderation::before);
    if (before.isEmpty()) {
      return answer(engines, submitted, Optional.empty());
    }
    return before
        .get()
        .guard()
        .check(transcript.turns())
        .thenCompose(verdict ->
            verdict.safe()
                ? answer(engines, submitted, Optional.of(verdict))
                : CompletableFuture.completedFuture(blocked(verdict)));
  }

  private PromptAnswer blocked(GuardVerdict verdict) {
    return new PromptAnswer(
        List.of(), Collections.nCopies(numChoices, Choice.blocked(verdict)), List.of());
  }

  private CompletableFuture<PromptAnswer> answer(
      Engines engines, Consumer<Generation> submitted, Optional<GuardVerdict> prompt) {
    List<CompletableFuture<Generation.Result>> results = generate(engines, submitted);
    CompletableFuture<List<TokenLogprobs>> promptLogprobs =
        echoLogprobs.isPresent()
            ? engines.llama().engine().promptLogprobs(request.promptIds(), echoLogprobs.getAsInt())
            : CompletableFuture.completedFuture(List.of());
    CompletableFuture<List<Choice>> choices =
        (ranked ? rank(engines, results) : inOrder(results))
            .thenCompose(chosen ->
                all(chosen.stream().map(each -> check(engines, each.withPrompt(prompt))).toList()));
    return choices.thenCombine(
        promptLogprobs, (chosen, logprobs) -> new PromptAnswer(joined(results), chosen, logprobs));
  }

  private CompletableFuture<Choice> check(Engines engines, Choice choice) {
    Optional<Moderation> after = engines.moderation().filter(Moderation::after);
    if (after.isEmpty() || !generates || choice.result().isEmpty()) {
      return CompletableFuture.completedFuture(choice);
    }
    return after
        .get()
        .guard()
        .check(transcript.turns(choice.result().get().text()))
        .thenApply(choice::withAnswer);
  }

  private List<CompletableFuture<Generation.Result>> generate(
      Engines engines, Consumer<Generation> submitted) {
    if (!generates) {
      return Collections.nCopies(numChoices, CompletableFuture.completedFuture(nothing()));
    }
    List<Generation> generations = engines.llama().engine().submitSamples(request);
    generations.forEach(submitted);
    return generations.stream()
        .map(generation -> generation.future().thenApply(PromptJob::requireEnd))
        .toList();
  }

  private Generation.Result nothing() {
    List<Integer> ids = Arrays.stream(request.promptIds()).boxed().toList();
    return new Generation.Result(ids, 0, List.of(), "", FinishReason.LENGTH, List.of(), NO_TIME);
  }

  private static Generation.Result requireEnd(Generation.Result result) {
    if (result.finishReason() == FinishReason.CANCELLED) {
      throw new IllegalStateException("the engine was closed");
    }
    return result;
  }

  private static CompletableFuture<List<Choice>> inOrder(
      List<CompletableFuture<Generation.Result>> results) {
    return all(results).thenApply(all -> all.stream().map(Choice::of).toList());
  }

  /// Scores each candidate as soon as it is there.
  private CompletableFuture<List<Choice>> rank(
      Engines engines, List<CompletableFuture<Generation.Result>> results) {
    String name = engines.reward().isPresent() ? Choice.Score.REWARD : Choice.Score.MEAN_LOGPROB;
    List<CompletableFuture<Double>> scores =
        results.stream()
            .map(result -> result.thenCompose(answer -> score(engines, answer)))
            .toList();
    return all(scores)
        .thenApply(values ->
            Candidate.ranked(joined(results), values).stream()
                .limit(numChoices)
                .map(best ->
                    Choice.of(best.result()).withScore(new Choice.Score(name, best.score())))
                .toList());
  }

  private CompletableFuture<Double> score(Engines engines, Generation.Result answer) {
    return engines
        .reward()
        .map(rewardModel -> transcript.score(rewardModel, answer.text()))
        .orElseGet(() -> CompletableFuture.completedFuture(Candidate.meanLogprob(answer)));
  }

  private static <T> CompletableFuture<List<T>> all(List<CompletableFuture<T>> futures) {
    return CompletableFuture.allOf(futures.toArray(CompletableFuture<?>[]::new))
        .thenApply(_ -> joined(futures));
  }

  private static <T> List<T> joined(List<CompletableFuture<T>> futures) {
    return futures.stream().map(CompletableFuture::join).toList();
  }
}
