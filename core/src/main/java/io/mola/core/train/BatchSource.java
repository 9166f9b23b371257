package io.mola.core.train;

import io.mola.core.data.Example;
import java.util.List;

/** Which examples each optimiser step sees: a pure function of the step. */
public interface BatchSource {
  /** Number of steps of the run. */
  int steps();

  /** The effective batch of a step, from 0; at least one example. */
  List<Example> batch(int step);
}
