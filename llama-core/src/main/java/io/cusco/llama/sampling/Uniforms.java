package io.cusco.llama.sampling;

/// The engine's only randomness: one number per (seed, position), so that a request's draws do not
/// depend on what else is in the batch, on preemption or on the backend.
///
/// Both words go through the finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable
/// pseudorandom number generators", 2014; constants of Stafford's mix 13). The seed is mixed before
/// the position is added, so that neighbouring seeds do not share shifted streams.
public final class Uniforms {
  /// 2^64 divided by the golden ratio, odd: SplitMix64's step.
  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

  private static final int MANTISSA_BITS = 53;

  private Uniforms() {}

  /// A number in `[0, 1)` with 53 random bits.
  ///
  /// @param position index in its sequence, prompt included, of the token to be drawn
  public static double at(long seed, int position) {
    long bits = mix(mix(seed + GOLDEN_GAMMA) + GOLDEN_GAMMA * (position + 1L));
    return (bits >>> (Long.SIZE - MANTISSA_BITS)) * 0x1.0p-53;
  }

  /// The seed of one of several samples of a request: `seed` itself for the first.
  ///
  /// @param sample from 0
  public static long seedOfSample(long seed, int sample) {
    return sample == 0 ? seed : mix(mix(~seed) + GOLDEN_GAMMA * sample);
  }

  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
