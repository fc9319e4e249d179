package io.cusco.llama.config;

import java.util.Arrays;

/// How a checkpoint stretches rotary position embedding beyond the context it was first trained on.
///
/// Every variant divides the base frequency of pair `i`, `theta^(-2i/headDim)`, by a factor that
/// [io.cusco.llama.model.RotaryTable] computes; nothing else of the network changes.
public sealed interface RopeScaling {

  /// No scaling: LLaMA 1, Llama 2, Llama 3, Code Llama.
  record None() implements RopeScaling {}

  /// Position interpolation: all frequencies are divided by `factor`. Source: Hugging Face
  /// `rope_type: linear`, GGUF `llama.rope.scaling.type = linear`.
  record Linear(double factor) implements RopeScaling {
    public Linear {
      requirePositive("rope scaling factor", factor);
    }
  }

  /// Llama 3.1's scaling: long wavelengths are divided by `factor`, short ones kept, those between
  /// blended. Source: Meta's `apply_scaling`, Hugging Face `rope_type: llama3`.
  record Llama3(
      double factor, double lowFreqFactor, double highFreqFactor, int originalMaxPositionEmbeddings)
      implements RopeScaling {
    public Llama3 {
      requirePositive("rope scaling factor", factor);
      requirePositive("rope scaling low_freq_factor", lowFreqFactor);
      requirePositive("rope scaling high_freq_factor", highFreqFactor);
      if (highFreqFactor <= lowFreqFactor) {
        throw new IllegalArgumentException(
            "rope scaling high_freq_factor %s must be above low_freq_factor %s"
                .formatted(highFreqFactor, lowFreqFactor));
      }
      if (originalMaxPositionEmbeddings <= 0) {
        throw new IllegalArgumentException(
            "rope scaling original_max_position_embeddings must be positive, got "
                + originalMaxPositionEmbeddings);
      }
    }
  }

  /// One divisor per rotary pair, `[headDim / 2]`, as GGUF stores Llama 3.1's scaling in the tensor
  /// `rope_freqs.weight`.
  record FrequencyFactors(float[] factors) implements RopeScaling {
    public FrequencyFactors {
      factors = factors.clone();
      for (float factor : factors) {
        requirePositive("rope frequency factor", factor);
      }
    }

    @Override
    public float[] factors() {
      return factors.clone();
    }

    /// The divisor of pair `pair`.
    public float factor(int pair) {
      return factors[pair];
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof FrequencyFactors that && Arrays.equals(factors, that.factors);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(factors);
    }

    @Override
    public String toString() {
      return "FrequencyFactors[%d pairs, %s..%s]"
          .formatted(factors.length, factors[0], factors[factors.length - 1]);
    }
  }

  private static void requirePositive(String what, double value) {
    if (!(value > 0) || Double.isInfinite(value)) {
      throw new IllegalArgumentException(what + " must be positive and finite, got " + value);
    }
  }
}
