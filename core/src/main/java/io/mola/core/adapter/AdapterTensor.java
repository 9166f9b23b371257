package io.mola.core.adapter;

import io.mola.core.backend.Philox;
import io.mola.core.model.Projection;
import io.mola.core.weights.WeightNames;
import java.util.List;

/**
 * One tensor of an adapter as files and gradient checks see it, and its place in the flat tensor.
 *
 * @param kind what it is
 * @param layer from 0
 * @param projection it belongs to
 * @param expert e; 0 for routers
 * @param rows r, out or N
 * @param cols in, r or in
 * @param offset first element in the flat tensor
 */
public record AdapterTensor(
    Kind kind, int layer, Projection projection, int expert, int rows, int cols, int offset) {

  /** What a tensor is. */
  public enum Kind {
    /** A_e [r, in]. */
    A,
    /** B_e [out, r]; the flat tensor holds its transpose [r, out]. */
    B,
    /** The router [N, in]. */
    ROUTER
  }

  private static final String PREFIX = "base_model.model.";

  /** Marks counters of initialisation: those of dropout have a fourth word of at least 0. */
  private static final int INITIALISATION = Integer.MIN_VALUE;

  private static final List<Projection> PROJECTIONS = List.of(Projection.values());

  /** Number of elements. */
  public int size() {
    return rows * cols;
  }

  /** Name in the authors' format, for example {@code …self_attn.q_proj.lora_A_3.weight}. */
  public String name() {
    return switch (kind) {
      case A -> prefix() + ".lora_A_" + expert + ".weight";
      case B -> prefix() + ".lora_B_" + expert + ".weight";
      case ROUTER -> prefix() + ".router.router.weight";
    };
  }

  /** Name in PEFT's LoRA format, which knows one expert and no router. */
  public String peftName() {
    return switch (kind) {
      case A -> prefix() + ".lora_A.weight";
      case B -> prefix() + ".lora_B.weight";
      case ROUTER -> throw new IllegalStateException(name() + " has no name in a plain LoRA");
    };
  }

  private String prefix() {
    String weight = WeightNames.inLayer(layer, projection.path());
    return PREFIX + weight.substring(0, weight.length() - ".weight".length());
  }

  /** A copy of its values [rows, cols] from a flat array. */
  public float[] read(float[] flat) {
    float[] values = new float[size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = flat[index(i)];
    }
    return values;
  }

  /** Copies its values [rows, cols] into a flat array. */
  public void write(float[] values, float[] flat) {
    if (values.length != size()) {
      throw new IllegalArgumentException(name() + ": " + values.length + " values, not " + size());
    }
    for (int i = 0; i < values.length; i++) {
      flat[index(i)] = values[i];
    }
  }

  /** Place in the flat tensor of element {@code i} in row-major order. */
  private int index(int i) {
    return offset + (kind == Kind.B ? i % cols * rows + i / cols : i);
  }

  /**
   * A and routers uniform in ±1/sqrt(in) (Kaiming with a = sqrt 5), B zero. Element i is word
   * {@code i mod 4} of Philox with the counter {@code (i/4, 0, 2·expert + [router], 2^31 + 8·layer
   * + projection)}.
   */
  void initialise(long seed, float[] flat) {
    if (kind == Kind.B) {
      return;
    }
    double bound = 1 / Math.sqrt(cols);
    int third = 2 * expert + (kind == Kind.ROUTER ? 1 : 0);
    int fourth = INITIALISATION | (layer * 8 + PROJECTIONS.indexOf(projection));
    int[] words = new int[4];
    for (int i = 0; i < size(); i++) {
      if (i % 4 == 0) {
        Philox.words(seed, i / 4, 0, third, fourth, words);
      }
      double unit = ((words[i % 4] >>> 8) + 0.5) * 0x1p-24;
      flat[offset + i] = (float) ((2 * unit - 1) * bound);
    }
  }
}
