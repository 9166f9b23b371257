package io.mola.simd.work;

import java.util.List;

/**
 * Tasks that may run at the same time.
 *
 * @param count their number
 * @param task does one of them
 */
public record Stage(int count, Task task) {
  /** Nothing to do. */
  public static final Stage NOTHING = new Stage(0, (index, worker) -> {});

  /** The tasks of all parts, in their order. */
  public static Stage all(List<Stage> parts) {
    return switch (parts.size()) {
      case 0 -> NOTHING;
      case 1 -> parts.getFirst();
      default -> all(parts.toArray(Stage[]::new));
    };
  }

  /** The tasks of all parts, in their order. */
  public static Stage all(Stage... parts) {
    int count = 0;
    for (Stage part : parts) {
      count += part.count;
    }
    return new Stage(
        count,
        (index, worker) -> {
          int rest = index;
          for (Stage part : parts) {
            if (rest < part.count) {
              part.task.run(rest, worker);
              return;
            }
            rest -= part.count;
          }
        });
  }
}
