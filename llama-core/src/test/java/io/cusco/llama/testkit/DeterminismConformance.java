package io.cusco.llama.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.checkpoint.SyntheticCheckpoint;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StepBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// What [ModelOptions#deterministic()] promises, for every backend: logits have the same bits in
/// any company. Texts run alone, in one step each, then among 2 to 23 sequences, in changing order,
/// cut into random pieces, single tokens among them; their keys and values then come from steps of
/// every size.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class DeterminismConformance {
  private static final long SEED = 20261121;
  private static final int BLOCK_SIZE = 16;
  private static final int MAX_TOKENS = 96;
  private static final int MAX_LENGTH = 48;
  private static final int BLOCKS_EACH = MAX_LENGTH / BLOCK_SIZE;
  private static final int[] LENGTHS = {2, 8, 23, 47};
  private static final int MAX_BATCH = 23;

  private Backend backend;

  protected abstract Backend openBackend();

  /// Sizes of the company, up to 23; a slow device takes fewer.
  protected int[] batches() {
    return new int[] {2, 7, 16, MAX_BATCH};
  }

  @BeforeAll
  void open() {
    backend = openBackend();
  }

  @AfterAll
  void close() {
    if (backend != null) { // where the device is missing, it was never opened
      backend.close();
    }
  }

  @Test
  void exactLogitsOfOddSizes() {
    checkRandom(ComputeMode.F32);
  }

  @Test
  void fastLogitsOfOddSizes() {
    checkRandom(ComputeMode.AUTO);
  }

  @Test
  void logitsOfSixteenBitWeights() {
    checkSynthetic("bf16");
  }

  @Test
  void logitsOfQuantisedWeights() {
    checkSynthetic("q8_0");
    checkSynthetic("q4_k");
  }

  private void checkRandom(ComputeMode compute) {
    try (RandomModel random =
        new RandomModel(RandomModel.oddConfig(), RotaryLayout.INTERLEAVED, SEED)) {
      check("odd sizes, " + compute, random.config(), random.weights(), compute);
    }
  }

  private void checkSynthetic(String dtype) {
    try (Checkpoint checkpoint = SyntheticCheckpoint.open("tiny", dtype)) {
      check(dtype, checkpoint.config(), checkpoint.weights(), ComputeMode.AUTO);
    }
  }

  private void check(String name, LlamaConfig config, LlamaWeights weights, ComputeMode compute) {
    ModelOptions options =
        new ModelOptions(
                compute,
                MAX_LENGTH,
                MAX_TOKENS,
                MAX_BATCH,
                MAX_TOKENS,
                BLOCK_SIZE,
                OptionalInt.of(MAX_BATCH * BLOCKS_EACH),
                Optional.empty(),
                LoadProgress.NONE)
            .withDeterministic(true);
    Random random = new Random(SEED);
    try (LlamaModel model = backend.load(config, weights, options)) {
      List<Text> texts = new ArrayList<>();
      for (int length : LENGTHS) {
        texts.add(Text.alone(model, random.ints(length, 0, config.vocabSize()).toArray()));
      }
      for (int batch : batches()) {
        runInCompany(name, model, texts.subList(0, Math.min(texts.size(), batch)), batch, random);
      }
    }
  }

  /// @param logits after each of its tokens, when it is alone in one step
  private record Text(int[] ids, float[][] logits) {
    static Text alone(LlamaModel model, int[] ids) {
      int[] blocks = {4, 2, 0};
      model.forward(TestSteps.of(BLOCK_SIZE, BLOCKS_EACH).add(ids, 0, blocks, ids.length));
      float[][] logits = new float[ids.length][model.config().vocabSize()];
      for (int i = 0; i < ids.length; i++) {
        model.copyLogits(i, logits[i]);
      }
      return new Text(ids, logits);
    }
  }

  /// One sequence of the company; it starts again when it is through.
  private static final class Member {
    final Text text;
    final int[] blocks;
    int done;
    boolean wasThrough;

    Member(Text text, int[] blocks) {
      this.text = text;
      this.blocks = blocks;
    }
  }

  private static void runInCompany(
      String name, LlamaModel model, List<Text> texts, int batch, Random random) {
    List<Integer> pool = new ArrayList<>();
    for (int i = 0; i < MAX_BATCH * BLOCKS_EACH; i++) {
      pool.add(i);
    }
    Collections.shuffle(pool, random);
    List<Member> members = new ArrayList<>();
    for (int i = 0; i < batch; i++) {
      int[] blocks =
          pool.subList(i * BLOCKS_EACH, (i + 1) * BLOCKS_EACH).stream()
              .mapToInt(Integer::intValue)
              .toArray();
      members.add(new Member(texts.get(i % texts.size()), blocks));
    }
    float[] actual = new float[model.config().vocabSize()];
    while (!members.stream().allMatch(member -> member.wasThrough)) {
      Collections.shuffle(members, random);
      StepBatch step = TestSteps.of(BLOCK_SIZE, BLOCKS_EACH);
      // Half of the steps decode only, which a backend may run in another way.
      boolean decodes = random.nextBoolean();
      for (int i = 0; i < batch; i++) {
        Member member = members.get(i);
        int length = member.text.ids().length;
        member.done = member.done == length ? 0 : member.done;
        int fitting = MAX_TOKENS - step.numTokens() - (batch - 1 - i);
        int most = decodes ? 1 : Math.min(fitting, length - member.done);
        int count = 1 + random.nextInt(most);
        step.add(
            Arrays.copyOfRange(member.text.ids(), member.done, member.done + count),
            member.done,
            member.blocks,
            1);
        member.done += count;
        member.wasThrough |= member.done == length;
      }
      model.forward(step);
      for (int i = 0; i < batch; i++) {
        Member member = members.get(i);
        model.copyLogits(i, actual);
        assertThat(actual)
            .as(
                "%s, seed %d: position %d of %d in a step of %d tokens in %d sequences",
                name, SEED, member.done, member.text.ids().length, step.numTokens(), batch)
            .isEqualTo(member.text.logits()[member.done - 1]);
      }
    }
  }
}
