package io.cusco.llama.sampling;

/// What to draw after one step: for each row of logits the parameters, the random number and the
/// history, all decided in core, so that every backend draws the same token.
///
/// Filled by the engine, read by [io.cusco.llama.model.LlamaModel#sample], reused from step to
/// step.
public interface SamplingStep {
  /// What a backend returns for a row from which nothing can be drawn: it holds NaN or plus
  /// infinity, or nothing above minus infinity. The engine fails that one request.
  int NO_TOKEN = -1;

  /// Draws to make.
  int size();

  /// Row of the step's logits that draw `index` uses.
  int logitsRow(int index);

  SamplingParams params(int index);

  /// The one random number of this draw, in `[0, 1)`; decided by seed and position only.
  double uniform(int index);

  /// What came before, for the penalties; empty unless [SamplingParams#usesHistory()].
  TokenHistory history(int index);

  /// Where the backend puts the log-probabilities of draw `index`; called only if
  /// [SamplingParams#wantsLogprobs()], and not for a row that gave [#NO_TOKEN]. Draws of different
  /// index may be reported by different threads.
  void acceptLogprobs(int index, TokenLogprobs logprobs);
}
