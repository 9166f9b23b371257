package io.mola.core.tokenizer;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A SentencePiece BPE vocabulary, whichever file it comes from.
 *
 * <p>SentencePiece stores no merges: it joins the two neighbours whose joint piece has the best
 * score. The merge list that gives the same result has, for every piece, each way to cut it into
 * two other pieces, in the order of the scores of the whole pieces.
 *
 * @param origin for messages
 * @param pieces by id
 * @param scores by id
 * @param types by id, numbered as in the SentencePiece file
 * @param dummyPrefix whether a space is put before the text
 * @param collapsesSpaces whether outer spaces are dropped and runs of spaces become one
 * @param byteFallback whether unknown characters become byte pieces
 * @param characterMap SentencePiece's compiled normalisation rules, base64, or null
 * @param prefixOnlyAtStart whether the dummy prefix is left out behind special tokens
 */
record SentencePieceVocabulary(
    String origin,
    List<String> pieces,
    float[] scores,
    int[] types,
    boolean dummyPrefix,
    boolean collapsesSpaces,
    boolean byteFallback,
    @Nullable String characterMap,
    boolean prefixOnlyAtStart) {
  static final int NORMAL = 1;
  static final int UNKNOWN = 2;
  static final int CONTROL = 3;
  static final int USER_DEFINED = 4;
  static final int UNUSED = 5;
  static final int BYTE = 6;

  /** SentencePiece's visible space, U+2581. */
  static final char SPACE = '\u2581';

  /** The piece as the native library's vocabulary has it. */
  String entry(int id) {
    return types[id] == USER_DEFINED ? pieces.get(id).replace(SPACE, ' ') : pieces.get(id);
  }

  /** Pairs of ids to join, best first. */
  List<Merge> merges() {
    Map<String, Integer> ids = new HashMap<>(2 * pieces.size());
    for (int id = 0; id < pieces.size(); id++) {
      if (types[id] == NORMAL || types[id] == UNUSED) {
        ids.putIfAbsent(pieces.get(id), id);
      }
    }
    List<Merge> merges = new ArrayList<>(2 * pieces.size());
    ids.forEach((piece, id) -> addSplits(piece, id, ids, merges));
    merges.sort(
        Comparator.comparingDouble((Merge m) -> -scores[m.whole()])
            .thenComparingInt(Merge::whole)
            .thenComparingInt(Merge::left)
            .thenComparingInt(Merge::right));
    return merges;
  }

  private static void addSplits(
      String piece, int whole, Map<String, Integer> ids, List<Merge> merges) {
    int end = piece.length();
    for (int at = piece.offsetByCodePoints(0, end == 0 ? 0 : 1);
        at < end;
        at = piece.offsetByCodePoints(at, 1)) {
      Integer left = ids.get(piece.substring(0, at));
      Integer right = left == null ? null : ids.get(piece.substring(at));
      if (left != null && right != null) {
        merges.add(new Merge(left, right, whole));
      }
    }
  }

  /** Two pieces, by id, that become a third. */
  record Merge(int left, int right, int whole) {}
}
