package io.cusco.llama.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import io.cusco.llama.LlamaOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.engine.FinishReason;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A real model behind the library, used from several threads.
@Timeout(60)
class ConcurrentUseTest {
  private static final int THREADS = 8;
  private static final List<String> PROMPTS =
      List.of(
          "Once upon a time", "The dog", "One day, Lily", "It was", "A", "", "Tom said, \"", "é");

  @BeforeEach
  void requireModel() {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
  }

  private static Llama open(ComputeMode compute) {
    return Llama.open(
        DemoModel.open(),
        LlamaOptions.DEFAULT
            .withBackend("cpu")
            .withCompute(compute)
            .withContextLength(128)
            .withMaxSequences(THREADS));
  }

  /// Every second one greedy, the others seeded, each its own prompt and length.
  private static Request request(Llama llama, int i) {
    SamplingParams sampling =
        i % 2 == 0
            ? SamplingParams.GREEDY
            : SamplingParams.builder().temperature(0.8f).topP(0.95f).seed(i).build();
    return new Request(
        llama.encodePrompt(PROMPTS.get(i % PROMPTS.size())),
        sampling,
        new StopConditions(20 + 3 * i, List.of(), List.of(), true));
  }

  @Test
  void concurrentRequestsGetTheTextsThatTheyGetAlone() throws Exception {
    int requests = 2 * THREADS;
    for (ComputeMode compute : List.of(ComputeMode.AUTO, ComputeMode.F32)) {
      try (Llama llama = open(compute);
          ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
        List<List<Integer>> alone =
            IntStream.range(0, requests)
                .mapToObj(i -> llama.submit(request(llama, i)).await().ids())
                .toList();
        List<Future<List<Integer>>> together = new ArrayList<>();
        for (int i = 0; i < requests; i++) {
          int request = i;
          together.add(threads.submit(() -> llama.submit(request(llama, request)).await().ids()));
        }
        for (int i = 0; i < requests; i++) {
          assertThat(together.get(i).get())
              .as("%s, request %d", compute, i)
              .isEqualTo(alone.get(i));
        }
      }
    }
  }

  @Test
  void closingEndsWhatRunsAndRefusesWhatComes() throws Exception {
    List<Generation> generations = new ArrayList<>();
    Llama llama = open(ComputeMode.AUTO);
    Request request = request(llama, 15);
    for (int i = 0; i < 3 * THREADS; i++) {
      generations.add(llama.submit(request));
    }
    assertThat(generations.getFirst().iterator().next().tokenId()).isNotNegative();
    llama.close();
    llama.close();
    assertThat(generations)
        .allSatisfy(generation -> {
          Generation.Result result = generation.await();
          assertThat(result.finishReason()).isIn(FinishReason.CANCELLED, FinishReason.LENGTH);
        });
    assertThat(generations.getLast().await().finishReason()).isEqualTo(FinishReason.CANCELLED);
    assertThatThrownBy(() -> llama.submit(request))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    assertThatThrownBy(() -> llama.generate("x"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
  }

  /// It would take the weights from under the step that the sink is part of.
  @Test
  void closingInASinkIsRefusedAndHarmsNobody() {
    Llama llama = open(ComputeMode.AUTO);
    Generation other = llama.submit(request(llama, 15));
    assertThatThrownBy(
            () -> llama.engine().score(new int[] {1, 2, 3}, (position, row) -> llama.close()))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("close on another");
    assertThat(other.await().finishReason()).isEqualTo(FinishReason.LENGTH);
    llama.close();
  }

  @Test
  void abandonedGenerationsHoldUpNobody() {
    try (Llama llama = open(ComputeMode.AUTO)) {
      List<Integer> expected = llama.submit(request(llama, 0)).await().ids();
      for (int i = 0; i < 4 * THREADS; i++) {
        // Never read, never closed: this is what the test is about.
        Generation abandoned = llama.submit(request(llama, i));
        if (i % 3 == 0) {
          abandoned.cancel();
        }
      }
      assertThat(llama.submit(request(llama, 0)).await().ids()).isEqualTo(expected);
    }
  }

  @Test
  void aSecondIterationHasNothingLeftAndEnds() {
    try (Llama llama = open(ComputeMode.AUTO)) {
      Generation generation = llama.submit(request(llama, 3));
      StringBuilder text = new StringBuilder();
      generation.forEach(piece -> text.append(piece.text()));
      assertThat(generation.iterator().hasNext()).isFalse();
      assertThat(generation).isEmpty();
      assertThat(text).hasToString(generation.await().text());
    }
  }
}
