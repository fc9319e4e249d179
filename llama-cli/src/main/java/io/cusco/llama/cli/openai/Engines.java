package io.cusco.llama.cli.openai;

import io.cusco.llama.Llama;
import io.cusco.llama.reward.RewardModel;
import java.util.Optional;

/// The models that answer API requests; used, not owned.
///
/// @param llama generates, and embeds
/// @param reward ranks the candidates of requests with `best_of`; without one their likelihood does
/// @param moderation watches over completions
public record Engines(Llama llama, Optional<RewardModel> reward, Optional<Moderation> moderation) {
  /// One model alone.
  public static Engines of(Llama llama) {
    return new Engines(llama, Optional.empty(), Optional.empty());
  }
}
