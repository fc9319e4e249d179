package io.cusco.llama.config;

import java.util.List;

/// What a network ends in, behind the final norm: it decides what a row of its output is, and so
/// what the model is for.
public sealed interface OutputHead {
  /// The language model's `lm_head`: a logit for each token of the vocabulary.
  OutputHead VOCABULARY = new Vocabulary();

  /// No head: the normalised hidden states are the output.
  OutputHead NONE = new None();

  /// Generates text. Source: transformers' `LlamaForCausalLM`.
  record Vocabulary() implements OutputHead {
    @Override
    public String toString() {
      return "a vocabulary head";
    }
  }

  /// Scores texts: a reward model has one label, a classifier several. Source: transformers'
  /// `LlamaForSequenceClassification`, whose scores are those of the last token.
  ///
  /// @param labels what each score is for, as `id2label` has it
  record Scores(List<String> labels) implements OutputHead {
    /// More than any classifier has; a config that claims more is damaged.
    public static final int MAX_LABELS = 1 << 16;

    /// Labels that a message names.
    private static final int MAX_SHOWN = 5;

    public Scores {
      labels = List.copyOf(labels);
      if (labels.isEmpty() || labels.size() > MAX_LABELS) {
        throw new IllegalArgumentException(
            "num_labels must be 1 .. %d, got %d".formatted(MAX_LABELS, labels.size()));
      }
    }

    @Override
    public String toString() {
      return "a score head with %d label%s (%s%s)"
          .formatted(
              labels.size(),
              labels.size() == 1 ? "" : "s",
              String.join(", ", labels.subList(0, Math.min(MAX_SHOWN, labels.size()))),
              labels.size() > MAX_SHOWN ? ", ..." : "");
    }
  }

  /// Gives embeddings alone. Source: transformers' `LlamaModel`.
  record None() implements OutputHead {
    @Override
    public String toString() {
      return "no output head";
    }
  }
}
