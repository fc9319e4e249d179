package io.cusco.llama.cli;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import io.cusco.llama.LlamaOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.cli.BatchCommand.GuardStage;
import io.cusco.llama.cli.openai.Engines;
import io.cusco.llama.cli.openai.Moderation;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.OutputHead;
import io.cusco.llama.guard.GuardCategories;
import io.cusco.llama.guard.LlamaGuard;
import io.cusco.llama.reward.RewardModel;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;

/// The models that judge what the main model of a batch is asked and says.
final class SideModels implements AutoCloseable {
  /// Texts that one of them reads at a time: enough to fill a step, with a KV cache that leaves
  /// room for the main model's.
  private static final int MAX_SEQUENCES = 8;

  private final Optional<RewardModel> reward;
  private final Optional<Moderation> moderation;

  private SideModels(Optional<RewardModel> reward, Optional<Moderation> moderation) {
    this.reward = reward;
    this.moderation = moderation;
  }

  /// How they are opened: where and how exactly the main model runs, too.
  record Opener(CliContext terminal, RunOptions run, ContextOption contextOption) {
    Llama open(String name) {
      OptionalInt wanted = contextOption.contextLength();
      Checkpoint checkpoint = Checkpoint.open(ModelResolver.ofSystem().resolve(name));
      int declared = checkpoint.config().maxPositionEmbeddings();
      // What the main model may say at most, as far as this one reaches.
      int context =
          Math.min(declared, Math.max(wanted.orElse(0), LlamaOptions.DEFAULT_MAX_CONTEXT));
      return run.openBeside(terminal, checkpoint, OptionalInt.of(context), MAX_SEQUENCES);
    }
  }

  /// @param guardCategories a file of categories; empty for the guard's own
  static SideModels open(
      Opener opener,
      Optional<String> rewardModel,
      Optional<String> guardModel,
      GuardStage guardStage,
      Optional<Path> guardCategories) {
    // First what costs nothing.
    Optional<GuardCategories> categories = guardCategories.map(GuardCategories::read);
    Optional<RewardModel> reward = rewardModel.map(name -> new RewardModel(opener.open(name)));
    try {
      Optional<Moderation> moderation =
          guardModel.map(name ->
              new Moderation(
                  new LlamaGuard(opener.open(name), categories),
                  guardStage != GuardStage.AFTER,
                  guardStage != GuardStage.BEFORE));
      return new SideModels(reward, moderation);
    } catch (RuntimeException e) {
      reward.ifPresent(RewardModel::close);
      throw e;
    }
  }

  /// All models together.
  ///
  /// @throws LlamaException if the main model is itself one that judges
  Engines with(Llama llama) {
    LlamaConfig config = llama.config();
    if (config.head() instanceof OutputHead.Scores) {
      throw new LlamaException(
          "%s cannot generate: it has %s; name it with --reward-model, and with -m a model that generates"
              .formatted(llama.checkpoint().source(), config.head()));
    }
    return new Engines(llama, reward, moderation);
  }

  @Override
  public void close() {
    moderation.ifPresent(stage -> stage.guard().close());
    reward.ifPresent(RewardModel::close);
  }
}
