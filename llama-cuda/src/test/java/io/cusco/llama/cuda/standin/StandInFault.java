package io.cusco.llama.cuda.standin;

/// A call of the stand-in that ends with an error code. The code goes back to the caller, as from
/// the real library; the message, which no real library gives, stays readable in
/// [StandIn#lastFault()].
final class StandInFault extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient Status status;

  StandInFault(Status status, String message) {
    super(message);
    this.status = status;
  }

  Status status() {
    return status;
  }

  /// Returns with this code unless the condition holds.
  @SuppressWarnings(
      "AnnotateFormatMethod") // the annotation would be a dependency for this one method
  static void require(boolean condition, Status otherwise, String message, Object... values) {
    if (!condition) {
      throw new StandInFault(otherwise, message.formatted(values));
    }
  }
}
