package io.mola.core.tensor;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Every buffer that a computation needs, known before anything is allocated. A plan is data: it can
 * be printed, compared with a limit, and refused.
 *
 * @param slots the buffers in allocation order; a name is unique within a plan
 */
public record MemoryPlan(List<Slot> slots) {
  /** Copies the list and refuses two slots of one name. */
  public MemoryPlan {
    slots = List.copyOf(slots);
    Set<String> names = new HashSet<>();
    for (Slot slot : slots) {
      if (!names.add(slot.name())) {
        throw new IllegalArgumentException("two slots named " + slot.name());
      }
    }
  }

  /**
   * One named buffer, row-major.
   *
   * @param name for lookup and diagnostics, for example {@code layer3.attention.lse}
   * @param rows row count, at least 1
   * @param cols column count, at least 1
   * @param type element type
   */
  public record Slot(String name, int rows, int cols, ElementType type) {
    /** Checks the sizes. */
    public Slot {
      if (rows < 1 || cols < 1) {
        throw new IllegalArgumentException(
            "slot " + name + " is " + rows + " x " + cols + "; both must be at least 1");
      }
    }

    /** Size in bytes. */
    public long bytes() {
      return (long) rows * cols * type.bytes();
    }
  }

  /** Total size in bytes. */
  public long bytes() {
    return slots.stream().mapToLong(Slot::bytes).sum();
  }

  /** Collects slots. */
  public static final class Builder {
    private final List<Slot> slots = new ArrayList<>();

    /** Adds a float32 buffer. */
    public Builder f32(String name, int rows, int cols) {
      slots.add(new Slot(name, rows, cols, ElementType.F32));
      return this;
    }

    /** Adds a buffer of the backend's activation type. */
    public Builder activation(String name, int rows, int cols) {
      slots.add(new Slot(name, rows, cols, ElementType.ACTIVATION));
      return this;
    }

    /** Adds an int32 buffer. */
    public Builder i32(String name, int rows, int cols) {
      slots.add(new Slot(name, rows, cols, ElementType.I32));
      return this;
    }

    /** The plan. */
    public MemoryPlan build() {
      return new MemoryPlan(slots);
    }
  }
}
