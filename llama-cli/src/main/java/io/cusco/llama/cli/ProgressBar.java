package io.cusco.llama.cli;

/// A bar on stderr that redraws itself; on anything but a terminal it shows nothing. Owned by one
/// thread.
final class ProgressBar implements AutoCloseable {
  private static final int WIDTH = 30;
  private static final long REDRAW_NANOS = 100_000_000;
  private static final String ERASE_LINE = "\r\u001b[K";

  private final Output err;
  private final boolean visible;
  private final String what;
  private long total;
  private final long startNanos = System.nanoTime();
  private long lastDrawNanos;
  private long done;

  /// @param total steps to come; 0 if that is not known
  ProgressBar(Output err, boolean visible, String what, long total) {
    this.err = err;
    this.visible = visible;
    this.what = what;
    this.total = total;
  }

  void advance() {
    show(done + 1, total);
  }

  /// For work that tells how far it has come, and only then how far it has to go.
  void show(long done, long total) {
    show(done, total, "");
  }

  /// @param detail what else there is to say, put at the end
  void show(long done, long total, String detail) {
    this.done = done;
    this.total = total;
    long now = System.nanoTime();
    if (visible && now - lastDrawNanos >= REDRAW_NANOS) {
      lastDrawNanos = now;
      String bar = render(what, done, total, now - startNanos);
      err.print(ERASE_LINE + bar + (detail.isEmpty() ? "" : ", " + detail));
      err.flush();
    }
  }

  /// Removes the bar.
  @Override
  public void close() {
    if (visible) {
      err.print(ERASE_LINE);
      err.flush();
    }
  }

  static String render(String what, long done, long total, long elapsedNanos) {
    double seconds = elapsedNanos / 1e9;
    if (total <= 0) {
      return "%s %d, %.0f s".formatted(what, done, seconds);
    }
    int filled = (int) (WIDTH * Math.min(done, total) / total);
    double left = seconds / Math.max(done, 1) * Math.max(total - done, 0);
    return "%s [%s%s] %d/%d, %.0f s left"
        .formatted(what, "#".repeat(filled), ".".repeat(WIDTH - filled), done, total, left);
  }
}
