package io.mola.core.adapter;

import io.mola.core.adapter.AdapterTensor.Kind;
import io.mola.core.failure.MalformedFileException;
import io.mola.core.model.Projection;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsTensor;
import io.mola.core.safetensors.SafetensorsType;
import io.mola.core.weights.ModelConfig;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads the tensors of an adapter. The file may come from anyone, so the shape of the adapter is
 * taken from the tensors that are there, and every tensor must fit the model and the others.
 */
final class AdapterFileReader {
  private final SafetensorsFile file;
  private final ModelConfig config;
  private final Map<Key, SafetensorsTensor> tensors = new HashMap<>();

  private record Key(int layer, Projection projection, Kind kind, int expert) {}

  /**
   * Indexes the file.
   *
   * @throws MalformedFileException if a tensor does not belong to an adapter of this model
   */
  AdapterFileReader(SafetensorsFile file, ModelConfig config) {
    this.file = file;
    this.config = config;
    for (SafetensorsTensor tensor : file.tensors().values()) {
      AdapterTensorName name =
          AdapterTensorName.parse(tensor.name())
              .orElseThrow(
                  () -> fault(tensor.name() + " is not a tensor of a MoLA or LoRA adapter"));
      if (name.layer() >= config.layers()) {
        throw fault(
            "%s is beyond the %d layers of the model".formatted(tensor.name(), config.layers()));
      }
      if (tensor.shape().size() != 2) {
        throw fault("%s has shape %s, not a matrix".formatted(tensor.name(), tensor.shape()));
      }
      Key key = new Key(name.layer(), name.projection(), name.kind(), name.expert());
      SafetensorsTensor twin = tensors.put(key, tensor);
      if (twin != null) {
        throw fault("%s and %s are the same tensor".formatted(twin.name(), tensor.name()));
      }
    }
  }

  /** N per projection and r of every layer, from the tensors alone. */
  List<AdapterShape.Layer> layers() {
    List<AdapterShape.Layer> layers = new ArrayList<>();
    for (int layer = 0; layer < config.layers(); layer++) {
      Map<Projection, Integer> experts = new EnumMap<>(Projection.class);
      @Nullable SafetensorsTensor first = null;
      for (Projection projection : Projection.values()) {
        int n = experts(layer, projection);
        if (n == 0) {
          continue;
        }
        experts.put(projection, n);
        SafetensorsTensor a = tensors.get(new Key(layer, projection, Kind.A, 0));
        if (a == null) {
          throw fault("%s of layer %d has no expert 0".formatted(projection.shortName(), layer));
        }
        first = first == null ? a : first;
        if (!a.shape().getFirst().equals(first.shape().getFirst())) {
          throw fault(
              "%s has rank %d, but %s has %d; ranks may differ between layers, not within one"
                  .formatted(
                      a.name(), a.shape().getFirst(), first.name(), first.shape().getFirst()));
        }
      }
      layers.add(new AdapterShape.Layer(experts, rank(first), 1));
    }
    return layers;
  }

  /** N: one more than the highest expert; gaps show when the tensors are read. */
  private int experts(int layer, Projection projection) {
    int found = 0;
    int highest = -1;
    for (Key key : tensors.keySet()) {
      if (key.layer() == layer && key.projection() == projection && key.kind() != Kind.ROUTER) {
        highest = Math.max(highest, key.expert());
        found++;
      }
    }
    SafetensorsTensor router = tensors.get(new Key(layer, projection, Kind.ROUTER, 0));
    if (found == 0 && router != null) {
      throw fault(router.name() + " chooses between experts that are missing");
    }
    if (highest >= found) {
      throw fault(
          "%s of layer %d has an expert %d, but not all below it"
              .formatted(projection.shortName(), layer, highest));
    }
    return highest + 1;
  }

  private int rank(@Nullable SafetensorsTensor a) {
    if (a == null) {
      return 1;
    }
    long rank = a.shape().getFirst();
    if (rank < 1 || rank > Integer.MAX_VALUE) {
      throw fault(a.name() + " has rank " + rank);
    }
    return (int) rank;
  }

  /**
   * All parameters in the flat layout.
   *
   * @throws MalformedFileException if a tensor is missing, superfluous, of the wrong shape or type,
   *     or holds a value that is not finite
   */
  float[] read(AdapterParameters layout) {
    Map<Key, SafetensorsTensor> left = new HashMap<>(tensors);
    List<AdapterTensor> expected = layout.tensors();
    for (AdapterTensor tensor : expected) {
      SafetensorsTensor stored = left.remove(key(tensor));
      if (stored == null) {
        throw fault("tensor %s is missing".formatted(tensor.name()));
      }
      if (!stored.hasShape(tensor.rows(), tensor.cols())) {
        throw fault(
            "%s has shape %s, but this model and adapter need [%d, %d]"
                .formatted(stored.name(), stored.shape(), tensor.rows(), tensor.cols()));
      }
    }
    // A router of one expert decides nothing; the authors' program writes it all the same.
    left.values().removeIf(tensor -> tensor.shape().getFirst() == 1 && isRouter(tensor));
    if (!left.isEmpty()) {
      throw fault(left.values().iterator().next().name() + " belongs to no expert of this adapter");
    }
    float[] flat = new float[layout.size()];
    for (AdapterTensor tensor : expected) {
      SafetensorsTensor stored = tensors.get(key(tensor));
      if (stored != null) {
        tensor.write(decode(stored, tensor.rows(), tensor.cols()), flat);
      }
    }
    return flat;
  }

  private static boolean isRouter(SafetensorsTensor tensor) {
    return AdapterTensorName.parse(tensor.name()).orElseThrow().kind() == Kind.ROUTER;
  }

  private static Key key(AdapterTensor tensor) {
    return new Key(tensor.layer(), tensor.projection(), tensor.kind(), tensor.expert());
  }

  private float[] decode(SafetensorsTensor tensor, int rows, int cols) {
    SafetensorsType type =
        SafetensorsType.ofName(tensor.dtype())
            .orElseThrow(() ->
                fault(
                    "%s is %s; F32, F16 and BF16 are read"
                        .formatted(tensor.name(), tensor.dtype())));
    StoredMatrix matrix =
        new StoredMatrix(
            tensor.name(), type.quantType(), rows, cols, tensor.bytes(), RowOrder.PLAIN);
    float[] values = new float[Math.multiplyExact(rows, cols)];
    for (int row = 0; row < rows; row++) {
      RowDecoder.decodeRow(matrix, row, values, row * cols);
    }
    for (int i = 0; i < values.length; i++) {
      if (!Float.isFinite(values[i])) {
        throw fault(
            "%s has the value %s in row %d, column %d"
                .formatted(tensor.name(), values[i], i / cols, i % cols));
      }
    }
    return values;
  }

  private MalformedFileException fault(String fault) {
    return new MalformedFileException(file.path(), fault);
  }
}
