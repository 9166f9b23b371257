package io.mola.simd.work;

/** Tasks that may run at the same time, numbered from 0. */
public interface Stage extends Task {
  /** Nothing to do. */
  Stage NOTHING = of(0, (index, worker) -> {});

  /** Their number. */
  int count();

  /** Number of parts that are shared out among workers each for itself. */
  default int parts() {
    return 1;
  }

  /** A part; their tasks follow each other. */
  default Stage part(int index) {
    return this;
  }

  /** So many tasks that {@code task} does. */
  static Stage of(int count, Task task) {
    return new Tasks(count, task);
  }

  /** The tasks of all parts, in their order. */
  static Stage all(Stage... parts) {
    StageList list = new StageList();
    for (Stage part : parts) {
      list.add(part);
    }
    return list.all();
  }

  /**
   * Tasks of one kind.
   *
   * @param count their number
   * @param task does one of them
   */
  record Tasks(int count, Task task) implements Stage {
    @Override
    public void run(int index, int worker) {
      task.run(index, worker);
    }
  }
}
