package io.mola.core.backend;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Calls, time and work of operations, filled by a {@link ProfiledBackend}. Time is the caller's: of
 * a backend that queues its work, only the call that waits shows it.
 */
public final class OperationTimes {
  private final Map<String, Entry> entries = new LinkedHashMap<>();

  /** Sums of one operation. */
  private static final class Entry {
    private long calls;
    private long nanos;
    private double flop;
  }

  /**
   * What an operation took.
   *
   * @param operation its group and name, of products also inputs and outputs
   * @param calls how often it was called
   * @param nanos duration of all calls
   * @param flop floating-point operations of its products, all calls; 0 where it has none or where
   *     their number depends on the data
   */
  public record Row(String operation, long calls, long nanos, double flop) {}

  /** Runs the call and counts it. */
  void time(String operation, double flop, Runnable call) {
    long start = System.nanoTime();
    call.run();
    add(operation, 1, System.nanoTime() - start, flop);
  }

  private void add(String operation, long calls, long nanos, double flop) {
    Entry entry = entries.computeIfAbsent(operation, name -> new Entry());
    entry.calls += calls;
    entry.nanos += nanos;
    entry.flop += flop;
  }

  /** Adds what another counted. */
  public void addAll(OperationTimes others) {
    others.entries.forEach((name, entry) -> add(name, entry.calls, entry.nanos, entry.flop));
  }

  /** Forgets everything. */
  public void clear() {
    entries.clear();
  }

  /** All operations, the longest first. */
  public List<Row> rows() {
    List<Row> rows = new ArrayList<>();
    entries.forEach((name, entry) -> rows.add(new Row(name, entry.calls, entry.nanos, entry.flop)));
    rows.sort(Comparator.comparingLong(Row::nanos).reversed());
    return rows;
  }
}
