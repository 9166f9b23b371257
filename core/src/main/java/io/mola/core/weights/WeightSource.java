package io.mola.core.weights;

import io.mola.core.failure.UsageException;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A model's frozen weights, in place in a read-only mapping that lives until {@link #close}. */
public interface WeightSource extends AutoCloseable {
  /** The file or folder as the user named it. */
  Path path();

  /**
   * For people and {@code inspect}, for example {@code GGUF v3} or {@code safetensors, 2 shards}.
   */
  String format();

  /** Hyper-parameters. */
  ModelConfig config();

  /** All tensors as the container lists them, in file order, under the container's own names. */
  List<TensorInfo> tensors();

  /**
   * The matrix (or vector, as [1, in]) of that canonical name ({@link WeightNames}), if the model
   * has it. Rows are in Hugging Face order, whatever the container's order is.
   */
  Optional<StoredMatrix> find(String canonicalName);

  /**
   * The matrix of that canonical name and shape.
   *
   * @throws io.mola.core.failure.MalformedFileException if it is missing or of another shape
   */
  StoredMatrix matrix(String canonicalName, int out, int in);

  /** What is known of the tokenizer. */
  TokenizerSource tokenizer();

  /** Metadata of the container for {@code inspect}: plain numbers, strings, booleans, lists. */
  Map<String, Object> metadata();

  /**
   * SHA-256 over the tensors sorted by name: name, type, shape, bytes; lower-case hex. Reads the
   * files once.
   */
  String fingerprint();

  /** Bytes of all mapped files. */
  long mappedBytes();

  /**
   * Writes a copy of the model in its own container in which some matrices are changed: those of
   * {@code change} are decoded, changed row by row and stored as {@code type}, everything else is
   * copied byte by byte. One row is in memory at a time.
   *
   * @param target a file, or a folder that does not exist yet, as the container is; it appears as a
   *     whole or not at all
   * @param type F32, F16 or BF16
   * @throws io.mola.core.failure.UsageException if this source cannot be rewritten, the target
   *     cannot be written to, or a changed value does not fit the type
   * @throws io.mola.core.failure.MolaException if writing fails, for example on a full disk
   */
  default void rewrite(Path target, QuantType type, RowChange change) {
    throw new UsageException(path() + " (" + format() + ") cannot be written as a model file");
  }

  @Override
  void close();

  /**
   * One tensor of a container.
   *
   * @param name as in the container
   * @param type as the container calls it, for example {@code Q4_K} or {@code BF16}
   * @param shape as in the container, outermost first
   * @param bytes size of its data
   */
  record TensorInfo(String name, String type, List<Long> shape, long bytes) {
    /** Copies the shape. */
    public TensorInfo {
      shape = List.copyOf(shape);
    }

    /** Number of elements. */
    public long elements() {
      return shape.stream().mapToLong(Long::longValue).reduce(1, Math::multiplyExact);
    }
  }
}
