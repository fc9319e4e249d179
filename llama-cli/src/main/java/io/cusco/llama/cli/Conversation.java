package io.cusco.llama.cli;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import io.cusco.llama.chat.ChatFormat;
import io.cusco.llama.chat.Message;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A conversation kept within the model's context: when it gets too long, its oldest turns are
/// forgotten; the system message stays. Owned by one thread.
final class Conversation {
  private final Llama llama;
  private final ChatFormat format;
  private final Optional<Message> system;
  private final SamplingParams sampling;
  private final StopConditions stop;
  private final List<Message> turns = new ArrayList<>();

  /// @throws LlamaException if the checkpoint is not a chat model of a known kind
  Conversation(Llama llama, Optional<String> system, SamplingParams sampling, StopConditions stop) {
    this.llama = llama;
    this.format =
        llama
            .chatFormat()
            .orElseThrow(() ->
                new LlamaException(
                    "%s: %s; use generate with a prompt of your own"
                        .formatted(
                            llama.checkpoint().source(),
                            llama.checkpoint().chatTemplate().isPresent()
                                ? "its chat template is not one of those known here"
                                : "not a chat model (no chat template)")));
    this.system = system.map(Message::system);
    this.sampling = sampling;
    this.stop = stop;
  }

  /// An answer under way. Closing it before [#finish()] cancels it and takes the turn back.
  final class Turn implements AutoCloseable {
    private final Generation generation;
    private final int dropped;
    private boolean finished;

    private Turn(Generation generation, int dropped) {
      this.generation = generation;
      this.dropped = dropped;
    }

    Generation generation() {
      return generation;
    }

    /// Messages that were forgotten to make room.
    int dropped() {
      return dropped;
    }

    String droppedNotice() {
      return "llama: the context of %d tokens is full; the oldest %d messages are forgotten"
          .formatted(llama.contextLength(), dropped);
    }

    /// Waits for the end and keeps the answer, a cancelled one too, as part of the conversation.
    Generation.Result finish() {
      Generation.Result result = generation.await();
      turns.add(Message.assistant(result.text()));
      finished = true;
      return result;
    }

    @Override
    public void close() {
      generation.close();
      if (!finished) {
        turns.removeLast();
      }
    }
  }

  /// Starts the answer to `text`.
  ///
  /// @throws LlamaException if `text` alone is too long for the context
  Turn say(String text) {
    List<Message> before = List.copyOf(turns);
    turns.add(Message.user(text));
    try {
      int dropped = makeRoom();
      return new Turn(llama.chat(messages(), sampling, stop), dropped);
    } catch (RuntimeException e) {
      // A message that is refused makes nothing forgotten.
      turns.clear();
      turns.addAll(before);
      throw e;
    }
  }

  /// Forgets everything but the system message.
  void reset() {
    turns.clear();
  }

  /// The system message, if any, and all turns that are remembered.
  List<Message> messages() {
    List<Message> messages = new ArrayList<>();
    system.ifPresent(messages::add);
    messages.addAll(turns);
    return messages;
  }

  private int makeRoom() {
    int dropped = 0;
    // One more token than the prompt has to fit, or there is nothing to answer with.
    int length = format.encode(messages()).length;
    while (length >= llama.contextLength()) {
      if (turns.size() == 1) {
        throw new LlamaException(
            "the message is too long: %d tokens with the system message, the context has %d"
                .formatted(length, llama.contextLength()));
      }
      // A question goes with its answer.
      turns.subList(0, 2).clear();
      dropped += 2;
      length = format.encode(messages()).length;
    }
    return dropped;
  }
}
