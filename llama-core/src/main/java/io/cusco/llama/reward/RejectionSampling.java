package io.cusco.llama.reward;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import io.cusco.llama.chat.ChatFormat;
import io.cusco.llama.chat.Message;
import io.cusco.llama.engine.FinishReason;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/// Rejection sampling: several answers are drawn to each prompt, a reward model scores them, the
/// best is kept. The inference half of Llama 2's post-training, and best-of-n for whoever has the
/// time.
///
/// ```java
/// RejectionSampling sampling = new RejectionSampling(llama, rewardModel);
/// List<Candidate> ranked = sampling.candidates(conversation, params, stop, 8).join();
/// String best = ranked.getFirst().result().text();
/// ```
///
/// The two models are two engines: while one generates, the other scores what is done. Any number
/// of prompts may be under way. Both models stay the caller's to close. Safe for use by several
/// threads.
///
/// Source: Touvron et al., "Llama 2: Open Foundation and Fine-Tuned Chat Models", 2023, section
/// 3.2.3.
public final class RejectionSampling {
  private final Llama generator;
  private final RewardModel rewardModel;
  private final ChatFormat chatFormat;

  /// @throws LlamaException if the generator is not a chat model
  public RejectionSampling(Llama generator, RewardModel rewardModel) {
    this.generator = generator;
    this.rewardModel = rewardModel;
    chatFormat =
        generator
            .chatFormat()
            .orElseThrow(() ->
                new LlamaException(
                    "%s: no chat template that is known here, so there are no conversations to sample"
                        .formatted(generator.checkpoint().source())));
  }

  /// Draws `count` answers to a conversation and scores each; turns end as the chat format says.
  ///
  /// @return all of them, best first; completes exceptionally if either model fails, or if an
  ///   answer does not fit into the reward model's context
  /// @throws RuntimeException as [io.cusco.llama.engine.Engine#submitSamples] does
  public CompletableFuture<List<Candidate>> candidates(
      List<Message> conversation, SamplingParams sampling, StopConditions stop, int count) {
    List<Integer> stopIds = new ArrayList<>(stop.stopTokenIds());
    stopIds.addAll(chatFormat.stopTokenIds());
    StopConditions atEndOfTurn =
        new StopConditions(stop.maxTokens(), stopIds, stop.stopStrings(), stop.ignoreEos());
    Request request = new Request(chatFormat.encode(conversation), sampling, atEndOfTurn);
    List<CompletableFuture<Generation.Result>> results =
        generator.engine().submitSamples(request.withSamples(count)).stream()
            .map(Generation::future)
            .toList();
    // Each is scored as soon as it is there.
    List<CompletableFuture<Double>> scores =
        results.stream()
            .map(result -> result.thenCompose(answer -> score(conversation, answer)))
            .toList();
    return CompletableFuture.allOf(scores.toArray(CompletableFuture<?>[]::new))
        .thenApply(_ ->
            Candidate.ranked(
                results.stream().map(CompletableFuture::join).toList(),
                scores.stream().map(CompletableFuture::join).toList()));
  }

  private CompletableFuture<Double> score(List<Message> conversation, Generation.Result answer) {
    if (answer.finishReason() == FinishReason.CANCELLED) {
      throw new LlamaException("a candidate was cancelled, and half an answer is not scored");
    }
    List<Message> whole = new ArrayList<>(conversation);
    whole.add(Message.assistant(answer.text()));
    return rewardModel.score(whole);
  }
}
