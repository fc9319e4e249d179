package io.cusco.llama.cpu;

import io.cusco.llama.cpu.MatMul.Projection;

/// The rows of several projections cut into tasks, none of which has rows of two of them. Set
/// before a phase, read by its workers.
final class RowTasks {
  private Projection[] projections = new Projection[0];
  private int rowsPerTask;

  void set(Projection[] projections, int rowsPerTask) {
    this.projections = projections;
    this.rowsPerTask = rowsPerTask;
  }

  static int totalRows(Projection[] projections) {
    int rows = 0;
    for (Projection projection : projections) {
      rows = Math.addExact(rows, projection.weight().rows());
    }
    return rows;
  }

  /// How many there are.
  int count() {
    return tasksBefore(projections.length);
  }

  private int tasksBefore(int index) {
    int tasks = 0;
    for (int i = 0; i < index; i++) {
      tasks += Math.ceilDiv(projections[i].weight().rows(), rowsPerTask);
    }
    return tasks;
  }

  private int indexOf(int task) {
    int index = 0;
    while (task >= tasksBefore(index + 1)) {
      index++;
    }
    return index;
  }

  Projection projection(int task) {
    return projections[indexOf(task)];
  }

  /// The first row of a task.
  int rowStart(int task) {
    return (task - tasksBefore(indexOf(task))) * rowsPerTask;
  }

  /// The end of its rows.
  int rowEnd(int task) {
    return Math.min(projection(task).weight().rows(), rowStart(task) + rowsPerTask);
  }
}
