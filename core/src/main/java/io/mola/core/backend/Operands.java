package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Checks the operands of one call and unwraps them. All errors are IllegalArgumentException and
 * read {@code operation: operand is [found], expected [wanted]}.
 */
final class Operands {
  /** Stands for a dimension that the operand itself decides. */
  static final int ANY = -1;

  /** Not an element of a list. */
  static final int ALONE = -1;

  private String operation = "";
  private final Seen read = new Seen();
  private final Seen written = new Seen();

  /** Operands of the call so far. Their names are put together only for an error. */
  private static final class Seen {
    private static final int USUAL = 16;

    private String[] names = new String[USUAL];
    private int[] indices = new int[USUAL];
    private @Nullable CheckedTensor[] tensors = new CheckedTensor[USUAL];
    private int size;

    void add(String name, int index, CheckedTensor tensor) {
      if (size == names.length) {
        names = Arrays.copyOf(names, 2 * size);
        indices = Arrays.copyOf(indices, 2 * size);
        tensors = Arrays.copyOf(tensors, 2 * size);
      }
      names[size] = name;
      indices[size] = index;
      tensors[size++] = tensor;
    }

    CheckedTensor tensor(int i) {
      return Objects.requireNonNull(tensors[i]);
    }

    String name(int i) {
      return element(names[i], indices[i]);
    }

    void clear() {
      Arrays.fill(tensors, 0, size, null);
      size = 0;
    }
  }

  /** Begins to check a call. One object serves all calls: a step makes thousands. */
  Operands begin(String operation) {
    this.operation = operation;
    read.clear();
    written.clear();
    return this;
  }

  /** An operand that is only read. */
  Tensor input(String name, @Nullable Tensor tensor, int rows, int cols) {
    return input(name, ALONE, tensor, rows, cols);
  }

  /** The same for an element of a list. */
  Tensor input(String list, int index, @Nullable Tensor tensor, int rows, int cols) {
    CheckedTensor checked = check(list, index, tensor, rows, cols);
    read.add(list, index, checked);
    return checked.unwrap();
  }

  /** An operand that is written, also one that is updated in place: it may overlap no other. */
  Tensor output(String name, @Nullable Tensor tensor, int rows, int cols) {
    return output(name, ALONE, tensor, rows, cols);
  }

  /** The same for an element of a list. */
  Tensor output(String list, int index, @Nullable Tensor tensor, int rows, int cols) {
    CheckedTensor checked = check(list, index, tensor, rows, cols);
    for (int i = 0; i < read.size; i++) {
      refuseOverlap(list, index, checked, read, i);
    }
    return addOutput(list, index, checked);
  }

  /** An output that may be the input of that name itself, but may not overlap it in part. */
  Tensor outputOrSameAs(String input, String name, @Nullable Tensor tensor, int rows, int cols) {
    CheckedTensor checked = check(name, ALONE, tensor, rows, cols);
    for (int i = 0; i < read.size; i++) {
      if (!(read.names[i].equals(input) && checked.isSameViewAs(read.tensor(i)))) {
        refuseOverlap(name, ALONE, checked, read, i);
      }
    }
    return addOutput(name, ALONE, checked);
  }

  private Tensor addOutput(String list, int index, CheckedTensor checked) {
    for (int i = 0; i < written.size; i++) {
      refuseOverlap(list, index, checked, written, i);
    }
    written.add(list, index, checked);
    return checked.unwrap();
  }

  private void refuseOverlap(String list, int index, CheckedTensor tensor, Seen others, int other) {
    if (tensor.overlaps(others.tensor(other))) {
      throw failure(
          element(list, index) + " overlaps " + others.name(other) + " in slot " + tensor.slot());
    }
  }

  private CheckedTensor check(String list, int index, @Nullable Tensor tensor, int rows, int cols) {
    if (!(tensor instanceof CheckedTensor checked) || !checked.belongsTo(this)) {
      throw failure(
          element(list, index) + (tensor == null ? " is missing" : " comes from another backend"));
    }
    shape(list, index, checked.rows(), checked.cols(), rows, cols);
    return checked;
  }

  /** An operand of integers; they are only read. */
  IntTensor ints(String name, @Nullable IntTensor tensor, int rows, int cols) {
    if (!(tensor instanceof CheckedIntTensor checked) || !checked.belongsTo(this)) {
      throw failure(name + (tensor == null ? " is missing" : " comes from another backend"));
    }
    shape(name, ALONE, checked.rows(), checked.cols(), rows, cols);
    return checked.unwrap();
  }

  /** A frozen matrix [out, in]. */
  FrozenMatrix matrix(String name, @Nullable FrozenMatrix matrix, int out, int in) {
    return matrix(name, ALONE, matrix, out, in);
  }

  private FrozenMatrix matrix(
      String list, int index, @Nullable FrozenMatrix matrix, int out, int in) {
    if (!(matrix instanceof CheckedMatrix checked) || !checked.belongsTo(this)) {
      throw failure(
          element(list, index) + (matrix == null ? " is missing" : " comes from another backend"));
    }
    shape(list, index, checked.out(), checked.in(), out, in);
    return checked.unwrap();
  }

  /** Matrices of one input width. */
  List<FrozenMatrix> matrices(String name, List<FrozenMatrix> matrices, int in) {
    List<FrozenMatrix> unwrapped = new ArrayList<>(matrices.size());
    for (int i = 0; i < matrices.size(); i++) {
      unwrapped.add(matrix(name, i, matrices.get(i), ANY, in));
    }
    require(!unwrapped.isEmpty(), () -> name + " is empty, expected at least one matrix");
    return unwrapped;
  }

  /** Inputs {@code [rows, out of matrix i]}. */
  List<Tensor> inputs(String name, List<Tensor> tensors, int rows, List<FrozenMatrix> matrices) {
    sameLength(name, tensors, matrices);
    List<Tensor> unwrapped = new ArrayList<>(tensors.size());
    for (int i = 0; i < tensors.size(); i++) {
      unwrapped.add(input(name, i, tensors.get(i), rows, matrices.get(i).out()));
    }
    return unwrapped;
  }

  /** Outputs {@code [rows, out of matrix i]}. */
  List<Tensor> outputs(String name, List<Tensor> tensors, int rows, List<FrozenMatrix> matrices) {
    sameLength(name, tensors, matrices);
    List<Tensor> unwrapped = new ArrayList<>(tensors.size());
    for (int i = 0; i < tensors.size(); i++) {
      unwrapped.add(output(name, i, tensors.get(i), rows, matrices.get(i).out()));
    }
    return unwrapped;
  }

  private void sameLength(String name, List<Tensor> tensors, List<FrozenMatrix> matrices) {
    require(
        tensors.size() == matrices.size(),
        () -> name + " has " + tensors.size() + " elements, expected " + matrices.size());
  }

  private void shape(String list, int index, int rows, int cols, int wantedRows, int wantedCols) {
    boolean fits =
        (wantedRows == ANY || rows == wantedRows) && (wantedCols == ANY || cols == wantedCols);
    if (!fits || rows < 1 || cols < 1) {
      throw failure(
          element(list, index)
              + " is "
              + brackets(rows, cols)
              + ", expected "
              + brackets(wantedRows, wantedCols)
              + (fits ? " and not empty" : ""));
    }
  }

  /** Any other rule of the operation. */
  void require(boolean holds, Supplier<String> otherwise) {
    if (!holds) {
      throw failure(otherwise.get());
    }
  }

  private IllegalArgumentException failure(String text) {
    return new IllegalArgumentException(operation + ": " + text);
  }

  static String brackets(int rows, int cols) {
    return "[" + (rows == ANY ? "any" : rows) + ", " + (cols == ANY ? "any" : cols) + "]";
  }

  /** Element of a list, {@code name[3]}; a name with a place for the number takes it there. */
  static String element(String name, int index) {
    if (index == ALONE) {
      return name;
    }
    return name.contains("%d") ? name.formatted(index) : name + "[" + index + "]";
  }

  /** Rows of an operand that is about to be checked; 0 if it is missing. */
  static int rows(@Nullable Tensor tensor) {
    return tensor == null ? 0 : tensor.rows();
  }

  /** Columns of an operand that is about to be checked; 0 if it is missing. */
  static int cols(@Nullable Tensor tensor) {
    return tensor == null ? 0 : tensor.cols();
  }
}
