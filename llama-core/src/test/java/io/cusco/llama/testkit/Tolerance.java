package io.cusco.llama.testkit;

/// How far logits may be from the exact ones, in units of the exact logits' standard deviation.
///
/// Each row is an arithmetic, with what independent engines measure in it: float32 in transformers
/// is 1.1e-5 off; 8-bit activations in llama.cpp 0.22 / 0.041 / 7e-3.
///
/// @param largest largest difference of one logit
/// @param rms root of the mean square difference
/// @param meanKl Kullback-Leibler divergence from the exact distribution, mean over positions
public record Tolerance(String name, double largest, double rms, double meanKl) {
  /// Weights widened to float32, float32 arithmetic.
  public static final Tolerance F32 = new Tolerance("float32", 5e-5, 1e-5, 1e-8);

  /// Inputs of matrix products rounded to float16.
  public static final Tolerance F16_INPUTS = new Tolerance("float16 inputs", 2e-2, 4e-3, 3e-5);

  /// Inputs of matrix products rounded to bfloat16.
  public static final Tolerance BF16_INPUTS = new Tolerance("bfloat16 inputs", 1e-1, 1.5e-2, 3e-4);

  /// Activations quantised to 8 bits.
  public static final Tolerance INT8_INPUTS = new Tolerance("int8 inputs", 3.5e-1, 6e-2, 1.5e-2);

  /// Weights and inputs of the layers' products rounded to e4m3, with a scale for each row. The
  /// rounding alone, in float64 (`Fp8ErrorTest`), makes up to 1.25 / 0.164 / 0.082; which way a
  /// number falls differs between two implementations, so that half as much again is allowed.
  public static final Tolerance FP8 = new Tolerance("FP8 weights and inputs", 1.9, 0.25, 0.125);

  /// Keys and values rounded to e4m3, whose steps are sixteen times those of bfloat16, beside
  /// bfloat16 inputs. The rounding alone, in float64 (`Fp8KvErrorTest`), makes up to 0.60 / 0.087 /
  /// 0.019; which way a key falls differs between two implementations, so that half as much again
  /// is allowed.
  public static final Tolerance FP8_KV = new Tolerance("FP8 keys and values", 1, 1.35e-1, 3e-2);

  /// Differences gathered over rows of logits.
  public static final class Difference {
    private double largest;
    private double sumOfSquares;
    private long count;
    private double sumOfKl;
    private long rows;

    /// Adds one row.
    public void add(float[] actual, float[] expected, double logitsStd) {
      for (int i = 0; i < expected.length; i++) {
        double difference = Math.abs((double) actual[i] - expected[i]) / logitsStd;
        // A NaN has to count as the largest difference there is.
        largest = difference <= largest ? largest : difference;
        sumOfSquares += difference * difference;
      }
      count += expected.length;
      sumOfKl += kl(expected, actual);
      rows++;
    }

    public double largest() {
      return largest;
    }

    public boolean within(Tolerance tolerance) {
      return largest <= tolerance.largest
          && Math.sqrt(sumOfSquares / count) <= tolerance.rms
          && sumOfKl / rows <= tolerance.meanKl;
    }

    @Override
    public String toString() {
      return "largest %.2e, rms %.2e, KL %.2e"
          .formatted(largest, Math.sqrt(sumOfSquares / count), sumOfKl / rows);
    }
  }

  private static double kl(float[] expected, float[] actual) {
    double expectedLse = logSumExp(expected);
    double actualLse = logSumExp(actual);
    double sum = 0;
    for (int i = 0; i < expected.length; i++) {
      double logP = expected[i] - expectedLse;
      sum += Math.exp(logP) * (logP - (actual[i] - actualLse));
    }
    return sum;
  }

  /// The logarithm of the sum of `exp(logits)`.
  public static double logSumExp(float[] logits) {
    double maximum = Double.NEGATIVE_INFINITY;
    for (float logit : logits) {
      maximum = Math.max(maximum, logit);
    }
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - maximum);
    }
    return maximum + Math.log(sum);
  }
}
