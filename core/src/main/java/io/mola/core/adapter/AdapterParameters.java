package io.mola.core.adapter;

import io.mola.core.backend.Experts;
import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.ModelConfig;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Where every parameter of an adapter lies in one flat float32 tensor.
 *
 * <p>Optimiser, gradient norm and checkpoint see one tensor of {@link #rows} times {@link #COLUMNS}
 * elements; the backend sees, per layer and group of projections, {@link Experts} that are views of
 * it; files see the authors' tensors, one per expert. Parameters, gradients and optimiser moments
 * share the layout.
 *
 * <pre>{@code
 * per layer, per group:  A [R, in]        members in order, expert by expert
 *                        routers [E, in]  members with N > 1 in order
 *                        per member b [N·r, out]   row e·r + j is column j of B_e [out, r]
 * }</pre>
 *
 * Each block starts at a multiple of {@link #ALIGNMENT} elements, so that kernels may load whole
 * vectors. The gaps hold zeros; their gradients are zero, so no optimiser moves them.
 */
public final class AdapterParameters {
  /** Columns of the flat tensor; it has no meaning beyond making the tensor two-dimensional. */
  public static final int COLUMNS = 1024;

  /** Elements to which a block is aligned: 128 bytes. */
  static final int ALIGNMENT = 32;

  /** The largest flat tensor whose host copy fits into one array. */
  static final long MAX_SIZE = (Integer.MAX_VALUE / COLUMNS - 1) * (long) COLUMNS;

  private final ModelConfig config;
  private final AdapterShape shape;
  private final List<Map<Projection.Group, GroupLayout>> groups = new ArrayList<>();
  private final int rows;

  /**
   * Lays out the adapter.
   *
   * @throws UsageException if it has more layers than the model, adapts nothing or is too large
   */
  public AdapterParameters(ModelConfig config, AdapterShape shape) {
    if (shape.layers().size() != config.layers()) {
      throw new UsageException(
          "the adapter has %d layers, but the model has %d"
              .formatted(shape.layers().size(), config.layers()));
    }
    this.config = config;
    this.shape = shape;
    checkSize(shape.parameters(config));
    long offset = 0;
    for (int layer = 0; layer < config.layers(); layer++) {
      Map<Projection.Group, GroupLayout> layouts = new EnumMap<>(Projection.Group.class);
      for (Projection.Group group : Projection.Group.values()) {
        GroupLayout layout = GroupLayout.of(config, shape, layer, group, offset);
        if (layout != null) {
          layouts.put(group, layout);
          offset = layout.end();
        }
      }
      groups.add(layouts);
    }
    checkSize(offset);
    rows = Math.toIntExact((offset + COLUMNS - 1) / COLUMNS);
  }

  private static void checkSize(long parameters) {
    if (parameters == 0) {
      throw new UsageException("the adapter adapts no projection; give at least one expert");
    }
    if (parameters > MAX_SIZE) {
      throw new UsageException(
          "the adapter would have %,d parameters and %,d is the most; lower num_experts or lora_r"
              .formatted(parameters, MAX_SIZE));
    }
  }

  /** The model it is laid out for. */
  public ModelConfig config() {
    return config;
  }

  /** Experts, ranks and top-k. */
  public AdapterShape shape() {
    return shape;
  }

  /** Rows of the flat tensor. */
  public int rows() {
    return rows;
  }

  /** Elements of the flat tensor, gaps included. */
  public int size() {
    return rows * COLUMNS;
  }

  /** Whether some projection of the group has experts in that layer. */
  public boolean adapts(int layer, Projection.Group group) {
    return groups.get(layer).containsKey(group);
  }

  /** R: columns of z of that group, 0 if nothing is adapted. */
  public int stackedRank(int layer, Projection.Group group) {
    GroupLayout layout = groups.get(layer).get(group);
    return layout == null ? 0 : layout.stackedRank();
  }

  /** E: columns of logits and gates of that group, 0 if nothing is routed. */
  public int routed(int layer, Projection.Group group) {
    GroupLayout layout = groups.get(layer).get(group);
    return layout == null ? 0 : layout.routed();
  }

  /**
   * The experts of a group as views of a flat tensor, if the group has any in that layer.
   *
   * @param flat [{@link #rows}, {@link #COLUMNS}]: parameters or gradients
   */
  public Optional<Experts> experts(Tensor flat, int layer, Projection.Group group) {
    GroupLayout layout = groups.get(layer).get(group);
    return layout == null ? Optional.empty() : Optional.of(layout.view(flat));
  }

  /** All tensors, by layer, projection and expert, routers after the experts they choose from. */
  public List<AdapterTensor> tensors() {
    List<AdapterTensor> tensors = new ArrayList<>();
    groups.forEach(layer -> layer.values().forEach(group -> group.addTensors(tensors)));
    return tensors;
  }

  /**
   * Parameters before training: A and routers uniform in ±1/sqrt(in), B zero, so that an untrained
   * adapter changes nothing. A value depends on the seed and on its layer, projection, expert and
   * place in the matrix only, not on what else the adapter holds.
   */
  public float[] initial(long seed) {
    float[] flat = new float[size()];
    for (AdapterTensor tensor : tensors()) {
      tensor.initialise(seed, flat);
    }
    return flat;
  }
}
