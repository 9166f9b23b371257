package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Checks the operands of one call and unwraps them. All errors are IllegalArgumentException and
 * read {@code operation: operand is [found], expected [wanted]}.
 */
final class Operands {
  /** Stands for a dimension that the operand itself decides. */
  static final int ANY = -1;

  private final String operation;
  private final List<Named> read = new ArrayList<>();
  private final List<Named> written = new ArrayList<>();

  private record Named(String name, CheckedTensor tensor) {}

  Operands(String operation) {
    this.operation = operation;
  }

  /** An operand that is only read. */
  Tensor input(String name, @Nullable Tensor tensor, int rows, int cols) {
    CheckedTensor checked = check(name, tensor, rows, cols);
    read.add(new Named(name, checked));
    return checked.unwrap();
  }

  /** An operand that is written, also one that is updated in place: it may overlap no other. */
  Tensor output(String name, @Nullable Tensor tensor, int rows, int cols) {
    CheckedTensor checked = check(name, tensor, rows, cols);
    for (Named other : read) {
      refuseOverlap(name, checked, other);
    }
    return addOutput(name, checked);
  }

  /** An output that may be the input of that name itself, but may not overlap it in part. */
  Tensor outputOrSameAs(String input, String name, @Nullable Tensor tensor, int rows, int cols) {
    CheckedTensor checked = check(name, tensor, rows, cols);
    for (Named other : read) {
      if (!(other.name.equals(input) && checked.isSameViewAs(other.tensor))) {
        refuseOverlap(name, checked, other);
      }
    }
    return addOutput(name, checked);
  }

  private Tensor addOutput(String name, CheckedTensor checked) {
    for (Named other : written) {
      refuseOverlap(name, checked, other);
    }
    written.add(new Named(name, checked));
    return checked.unwrap();
  }

  private void refuseOverlap(String name, CheckedTensor tensor, Named other) {
    if (tensor.overlaps(other.tensor)) {
      throw failure(name + " overlaps " + other.name + " in slot " + tensor.slot());
    }
  }

  private CheckedTensor check(String name, @Nullable Tensor tensor, int rows, int cols) {
    if (!(tensor instanceof CheckedTensor checked)) {
      throw failure(name + (tensor == null ? " is missing" : " comes from another backend"));
    }
    shape(name, checked.rows(), checked.cols(), rows, cols);
    return checked;
  }

  /** An operand of integers; they are only read. */
  IntTensor ints(String name, @Nullable IntTensor tensor, int rows, int cols) {
    if (!(tensor instanceof CheckedIntTensor checked)) {
      throw failure(name + (tensor == null ? " is missing" : " comes from another backend"));
    }
    shape(name, checked.rows(), checked.cols(), rows, cols);
    return checked.unwrap();
  }

  /** A frozen matrix [out, in]. */
  FrozenMatrix matrix(String name, @Nullable FrozenMatrix matrix, int out, int in) {
    if (!(matrix instanceof CheckedMatrix checked)) {
      throw failure(name + (matrix == null ? " is missing" : " comes from another backend"));
    }
    shape(name, checked.out(), checked.in(), out, in);
    return checked.unwrap();
  }

  /** Matrices of one input width. */
  List<FrozenMatrix> matrices(String name, List<FrozenMatrix> matrices, int in) {
    List<FrozenMatrix> unwrapped = new ArrayList<>();
    for (int i = 0; i < matrices.size(); i++) {
      unwrapped.add(matrix(element(name, i), matrices.get(i), ANY, in));
    }
    require(!unwrapped.isEmpty(), name + " is empty, expected at least one matrix");
    return unwrapped;
  }

  /** Inputs {@code [rows, out of matrix i]}. */
  List<Tensor> inputs(String name, List<Tensor> tensors, int rows, List<FrozenMatrix> matrices) {
    sameLength(name, tensors, matrices);
    List<Tensor> unwrapped = new ArrayList<>();
    for (int i = 0; i < tensors.size(); i++) {
      unwrapped.add(input(element(name, i), tensors.get(i), rows, matrices.get(i).out()));
    }
    return unwrapped;
  }

  /** Outputs {@code [rows, out of matrix i]}. */
  List<Tensor> outputs(String name, List<Tensor> tensors, int rows, List<FrozenMatrix> matrices) {
    sameLength(name, tensors, matrices);
    List<Tensor> unwrapped = new ArrayList<>();
    for (int i = 0; i < tensors.size(); i++) {
      unwrapped.add(output(element(name, i), tensors.get(i), rows, matrices.get(i).out()));
    }
    return unwrapped;
  }

  private void sameLength(String name, List<Tensor> tensors, List<FrozenMatrix> matrices) {
    require(
        tensors.size() == matrices.size(),
        name + " has " + tensors.size() + " elements, expected " + matrices.size());
  }

  private void shape(String name, int rows, int cols, int wantedRows, int wantedCols) {
    boolean fits =
        (wantedRows == ANY || rows == wantedRows) && (wantedCols == ANY || cols == wantedCols);
    if (!fits || rows < 1 || cols < 1) {
      throw failure(
          name
              + " is "
              + brackets(rows, cols)
              + ", expected "
              + brackets(wantedRows, wantedCols)
              + (fits ? " and not empty" : ""));
    }
  }

  /** Any other rule of the operation. */
  void require(boolean holds, String otherwise) {
    if (!holds) {
      throw failure(otherwise);
    }
  }

  private IllegalArgumentException failure(String text) {
    return new IllegalArgumentException(operation + ": " + text);
  }

  static String brackets(int rows, int cols) {
    return "[" + (rows == ANY ? "any" : rows) + ", " + (cols == ANY ? "any" : cols) + "]";
  }

  private static String element(String name, int index) {
    return name + "[" + index + "]";
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
