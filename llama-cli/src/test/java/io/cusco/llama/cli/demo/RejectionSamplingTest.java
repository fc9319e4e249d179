package io.cusco.llama.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import io.cusco.llama.LlamaOptions;
import io.cusco.llama.chat.Message;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.OutputHead;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.reward.Candidate;
import io.cusco.llama.reward.RejectionSampling;
import io.cusco.llama.reward.RewardModel;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.testkit.HuggingFaceFolder;
import io.cusco.llama.testkit.RandomModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The library's use of two models at a time.
@Timeout(60)
class RejectionSamplingTest {
  private static final LlamaOptions CPU = LlamaOptions.DEFAULT.withBackend("cpu");

  private static Path rewardFolder(Path folder) throws IOException {
    LlamaConfig config =
        new LlamaConfig(
            24,
            36,
            1,
            4,
            2,
            6,
            HuggingFaceFolder.VOCAB_SIZE,
            512,
            1e-5f,
            1e4,
            new RopeScaling.None(),
            false,
            new OutputHead.Scores(List.of("reward")));
    try (RandomModel model = new RandomModel(config, RotaryLayout.ROTATE_HALF, 7)) {
      HuggingFaceFolder.write(folder, model.config(), model.weights());
    }
    return folder;
  }

  @Test
  void candidatesComeBestFirstForManyPromptsAtOnce(@TempDir Path folder) throws IOException {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    SamplingParams params = SamplingParams.builder().temperature(1).seed(11).build();
    StopConditions stop = StopConditions.maxTokens(5);
    try (Llama llama = Llama.open(DemoModel.open(), CPU);
        RewardModel reward = RewardModel.open(rewardFolder(folder), CPU)) {
      RejectionSampling sampling = new RejectionSampling(llama, reward);
      List<CompletableFuture<List<Candidate>>> runs = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        List<Message> conversation = List.of(Message.user("Story " + i));
        runs.add(sampling.candidates(conversation, params, stop, 6));
      }
      for (int i = 0; i < 4; i++) {
        List<Candidate> ranked = runs.get(i).join();
        assertThat(ranked).hasSize(6);
        assertThat(ranked)
            .isSortedAccordingTo(Comparator.comparingDouble(Candidate::score).reversed());
        assertThat(ranked).extracting(Candidate::sample).doesNotHaveDuplicates();
        String best = ranked.getFirst().result().text();
        List<Message> whole = List.of(Message.user("Story " + i), Message.assistant(best));
        assertThat(reward.score(whole).join())
            .isCloseTo(ranked.getFirst().score(), within(1e-6)); // other steps, other last bits
      }
    }
  }

  @Test
  void aGeneratorIsNoRewardModel() {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    Llama llama = Llama.open(DemoModel.open(), CPU);
    assertThatExceptionOfType(LlamaException.class)
        .isThrownBy(() -> new RewardModel(llama))
        .withMessageContaining("is no reward model: it has a vocabulary head");
  }
}
