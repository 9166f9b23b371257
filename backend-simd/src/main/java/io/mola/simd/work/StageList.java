package io.mola.simd.work;

import java.util.Arrays;

/** Stages that are put together one after the other, to run as one. */
public final class StageList implements Stage {
  private Stage[] parts = new Stage[4];
  private int size;
  private int count;

  /** Adds the tasks of another stage behind those that are there. */
  public void add(Stage part) {
    if (part instanceof StageList list) {
      for (int i = 0; i < list.size; i++) {
        add(list.parts[i]);
      }
      return;
    }
    if (size == parts.length) {
      parts = Arrays.copyOf(parts, 2 * size);
    }
    parts[size++] = part;
    count += part.count();
  }

  /** All tasks; nothing may be added from now on. */
  public Stage all() {
    return switch (size) {
      case 0 -> Stage.NOTHING;
      case 1 -> parts[0];
      default -> this;
    };
  }

  @Override
  public int count() {
    return count;
  }

  @Override
  public int parts() {
    return size;
  }

  @Override
  public Stage part(int index) {
    return parts[index];
  }

  @Override
  public void run(int index, int worker) {
    int rest = index;
    for (int i = 0; i < size; i++) {
      Stage part = parts[i];
      if (rest < part.count()) {
        part.run(rest, worker);
        return;
      }
      rest -= part.count();
    }
  }
}
