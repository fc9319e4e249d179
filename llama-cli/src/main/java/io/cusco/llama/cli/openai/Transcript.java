package io.cusco.llama.cli.openai;

import io.cusco.llama.chat.Message;
import io.cusco.llama.reward.RewardModel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/// A prompt as other models than the one that continues it get to see it: as text, which each
/// encodes its own way.
sealed interface Transcript {
  /// The prompt as turns.
  List<Message> turns();

  /// The prompt and its answer as turns.
  default List<Message> turns(String answer) {
    List<Message> whole = new ArrayList<>(turns());
    whole.add(Message.assistant(answer));
    return whole;
  }

  /// The reward for the prompt and its answer.
  CompletableFuture<Double> score(RewardModel rewardModel, String answer);

  /// A conversation; the answer is the assistant's next message.
  record Conversation(List<Message> messages) implements Transcript {
    public Conversation {
      messages = List.copyOf(messages);
    }

    @Override
    public List<Message> turns() {
      return messages;
    }

    @Override
    public CompletableFuture<Double> score(RewardModel rewardModel, String answer) {
      return rewardModel.score(turns(answer));
    }
  }

  /// A text; the answer goes on where it ends.
  record Text(String text) implements Transcript {
    /// Where turns are wanted, it is what a user says.
    @Override
    public List<Message> turns() {
      return List.of(Message.user(text));
    }

    @Override
    public CompletableFuture<Double> score(RewardModel rewardModel, String answer) {
      return rewardModel.score(text + answer);
    }
  }
}
