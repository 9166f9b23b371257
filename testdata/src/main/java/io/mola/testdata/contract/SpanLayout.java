package io.mola.testdata.contract;

import java.util.ArrayList;
import java.util.List;

/**
 * A ragged batch: sequences one after the other, each a prefix that its suffixes share.
 *
 * @param trees prefix length (0: none) and the lengths of the suffixes (none: the prefix alone)
 */
record SpanLayout(List<Tree> trees) {
  /** A shared prefix and what continues it. */
  record Tree(int prefix, List<Integer> suffixes) {
    int rows() {
      return prefix + suffixes.stream().mapToInt(Integer::intValue).sum();
    }
  }

  /** Independent segments. */
  static SpanLayout segments(Integer... lengths) {
    return new SpanLayout(
        List.of(lengths).stream().map(length -> new Tree(0, List.of(length))).toList());
  }

  static SpanLayout trees(Tree... trees) {
    return new SpanLayout(List.of(trees));
  }

  static Tree tree(int prefix, Integer... suffixes) {
    return new Tree(prefix, List.of(suffixes));
  }

  int tokens() {
    return trees.stream().mapToInt(Tree::rows).sum();
  }

  /** [n, 4]: prefixStart, prefixEnd, start, readersEnd. */
  int[] spans() {
    List<Integer> spans = new ArrayList<>();
    int row = 0;
    for (Tree tree : trees) {
      int prefixEnd = row + tree.prefix;
      append(spans, tree.prefix, 0, 0, row, row + tree.rows());
      int start = prefixEnd;
      for (int length : tree.suffixes) {
        boolean shares = tree.prefix > 0;
        append(spans, length, shares ? row : 0, shares ? prefixEnd : 0, start, start + length);
        start += length;
      }
      row += tree.rows();
    }
    return spans.stream().mapToInt(Integer::intValue).toArray();
  }

  private static void append(List<Integer> spans, int rows, Integer... span) {
    for (int i = 0; i < rows; i++) {
      spans.addAll(List.of(span));
    }
  }

  /** For each row t, which rows it sees, and its position: independent of the spans. */
  List<Visible> visible(int window) {
    List<Visible> all = new ArrayList<>();
    int row = 0;
    for (Tree tree : trees) {
      List<Integer> prefix = new ArrayList<>();
      for (int i = 0; i < tree.prefix; i++) {
        prefix.add(row++);
        all.add(Visible.last(prefix, window));
      }
      for (int length : tree.suffixes) {
        List<Integer> sequence = new ArrayList<>(prefix);
        for (int i = 0; i < length; i++) {
          sequence.add(row++);
          all.add(Visible.last(sequence, window));
        }
      }
    }
    return all;
  }

  /** The rows that one row sees, itself last. */
  record Visible(List<Integer> rows) {
    static Visible last(List<Integer> sequence, int window) {
      int from = Math.max(0, sequence.size() - window);
      return new Visible(List.copyOf(sequence.subList(from, sequence.size())));
    }
  }
}
