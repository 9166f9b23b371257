package io.mola.core.train;

import io.mola.core.backend.OperationTimes;
import java.util.List;

/**
 * Where the time of the steps went. The first step, which also compiles and packs, counts only if
 * it is the only one. Evaluations and checkpoints are left out.
 */
public final class StepProfile implements TrainingListener {
  private final OperationTimes current;
  private final TrainingListener next;
  private final OperationTimes sums = new OperationTimes();
  private boolean onlyFirst;
  private int steps;
  private long nanos;

  /**
   * @param current filled by the backend that trains
   * @param next told of everything too
   */
  public StepProfile(OperationTimes current, TrainingListener next) {
    this.current = current;
    this.next = next;
  }

  /** Steps that were measured. */
  public int steps() {
    return steps;
  }

  /** Duration of these steps. */
  public long nanos() {
    return nanos;
  }

  /** The operations of these steps, the longest first. */
  public List<OperationTimes.Row> operations() {
    return sums.rows();
  }

  /** Duration of the steps less that of their operations. */
  public long otherNanos() {
    return nanos - operations().stream().mapToLong(OperationTimes.Row::nanos).sum();
  }

  @Override
  public void started(int firstStep, int totalSteps) {
    next.started(firstStep, totalSteps);
  }

  @Override
  public void stepBegins() {
    current.clear();
    next.stepBegins();
  }

  @Override
  public void step(StepReport report) {
    if (onlyFirst) {
      sums.clear();
      steps = 0;
      nanos = 0;
    }
    onlyFirst = steps == 0 && !onlyFirst;
    sums.addAll(current);
    steps++;
    nanos += report.nanos();
    next.step(report);
  }

  @Override
  public void evaluated(int step, double loss) {
    next.evaluated(step, loss);
  }

  @Override
  public boolean stopRequested() {
    return next.stopRequested();
  }
}
