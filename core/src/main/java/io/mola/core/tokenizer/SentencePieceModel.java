package io.mola.core.tokenizer;

import io.mola.core.failure.MalformedFileException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads a {@code tokenizer.model}: a protocol buffer (ModelProto of SentencePiece's
 * sentencepiece_model.proto). Fields read, by number: 1 pieces (1 piece, 2 score, 3 type), 2
 * trainer (3 model type, 35 byte fallback), 3 normaliser (2 compiled rules, 3 dummy prefix, 4
 * remove extra spaces). All others are skipped.
 */
final class SentencePieceModel {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;
  private static final int FIXED32 = 5;
  private static final List<String> MODEL_TYPES = List.of("", "unigram", "bpe", "word", "char");
  private static final int UNIGRAM = 1;
  private static final int BPE = 2;

  private final Path file;
  private final List<String> pieces = new ArrayList<>();
  private float[] scores = new float[1 << 10];
  private int[] types = new int[1 << 10];
  private int modelType = UNIGRAM;
  private boolean byteFallback;
  private boolean dummyPrefix = true;
  private boolean collapsesSpaces = true;
  private @Nullable String characterMap;

  private SentencePieceModel(Path file) {
    this.file = file;
  }

  /**
   * The vocabulary in those bytes.
   *
   * @param prefixOnlyAtStart whether the dummy prefix is left out behind special tokens
   */
  static SentencePieceVocabulary read(Path file, byte[] bytes, boolean prefixOnlyAtStart) {
    SentencePieceModel model = new SentencePieceModel(file);
    model.readModel(model.new Reader(ByteBuffer.wrap(bytes)));
    if (model.pieces.isEmpty()) {
      throw new MalformedFileException(file, "holds no pieces; not a SentencePiece model");
    }
    if (model.modelType != BPE) {
      String name =
          model.modelType > 0 && model.modelType < MODEL_TYPES.size()
              ? MODEL_TYPES.get(model.modelType)
              : "number " + model.modelType;
      throw new MalformedFileException(
          file,
          "SentencePiece model type "
              + name
              + " is not supported; supported: bpe, or a"
              + " tokenizer.json beside it");
    }
    int size = model.pieces.size();
    return new SentencePieceVocabulary(
        file.toString(),
        model.pieces,
        Arrays.copyOf(model.scores, size),
        Arrays.copyOf(model.types, size),
        model.dummyPrefix,
        model.collapsesSpaces,
        model.byteFallback,
        model.characterMap,
        prefixOnlyAtStart);
  }

  private void readModel(Reader in) {
    while (in.next()) {
      switch (in.field) {
        case 1 -> readPiece(in.message());
        case 2 -> readTrainer(in.message());
        case 3 -> readNormalizer(in.message());
        default -> in.skip();
      }
    }
  }

  private void readPiece(Reader in) {
    String piece = "";
    float score = 0;
    int type = SentencePieceVocabulary.NORMAL;
    while (in.next()) {
      switch (in.field) {
        case 1 -> piece = in.string();
        case 2 -> score = in.float32();
        case 3 -> type = (int) in.varint();
        default -> in.skip();
      }
    }
    int id = pieces.size();
    if (id == scores.length) {
      scores = Arrays.copyOf(scores, 2 * id);
      types = Arrays.copyOf(types, 2 * id);
    }
    pieces.add(piece);
    scores[id] = score;
    types[id] = type;
  }

  private void readTrainer(Reader in) {
    while (in.next()) {
      switch (in.field) {
        case 3 -> modelType = (int) in.varint();
        case 35 -> byteFallback = in.varint() != 0;
        default -> in.skip();
      }
    }
  }

  private void readNormalizer(Reader in) {
    while (in.next()) {
      switch (in.field) {
        case 2 -> {
          byte[] rules = in.bytes();
          characterMap = rules.length == 0 ? null : Base64.getEncoder().encodeToString(rules);
        }
        case 3 -> dummyPrefix = in.varint() != 0;
        case 4 -> collapsesSpaces = in.varint() != 0;
        default -> in.skip();
      }
    }
  }

  /** Fields of one message, in order. */
  private final class Reader {
    private final ByteBuffer in;
    private int field;
    private int wire;

    Reader(ByteBuffer in) {
      this.in = in.order(ByteOrder.LITTLE_ENDIAN);
    }

    boolean next() {
      if (!in.hasRemaining()) {
        return false;
      }
      long key = rawVarint();
      field = (int) (key >>> 3);
      wire = (int) (key & 7);
      return true;
    }

    long varint() {
      expect(VARINT);
      return rawVarint();
    }

    float float32() {
      expect(FIXED32);
      need(4);
      return in.getFloat();
    }

    String string() {
      try {
        return StandardCharsets.UTF_8.newDecoder().decode(slice()).toString();
      } catch (CharacterCodingException e) {
        throw new MalformedFileException(
            file, "byte " + in.position() + ": a piece that is not UTF-8", e);
      }
    }

    byte[] bytes() {
      ByteBuffer slice = slice();
      byte[] bytes = new byte[slice.remaining()];
      slice.get(bytes);
      return bytes;
    }

    Reader message() {
      return new Reader(slice());
    }

    void skip() {
      switch (wire) {
        case VARINT -> rawVarint();
        case FIXED64 -> advance(8);
        case BYTES -> slice();
        case FIXED32 -> advance(4);
        default -> throw damaged();
      }
    }

    private ByteBuffer slice() {
      expect(BYTES);
      long length = rawVarint();
      if (length < 0 || length > in.remaining()) {
        throw damaged();
      }
      ByteBuffer slice = in.slice(in.position(), (int) length);
      in.position(in.position() + (int) length);
      return slice;
    }

    private long rawVarint() {
      long value = 0;
      for (int shift = 0; shift < 64; shift += 7) {
        need(1);
        byte b = in.get();
        value |= (long) (b & 0x7F) << shift;
        if (b >= 0) {
          return value;
        }
      }
      throw damaged();
    }

    private void advance(int count) {
      need(count);
      in.position(in.position() + count);
    }

    private void need(int count) {
      if (in.remaining() < count) {
        throw damaged();
      }
    }

    private void expect(int type) {
      if (wire != type) {
        throw damaged();
      }
    }

    private MalformedFileException damaged() {
      return new MalformedFileException(
          file, "not a SentencePiece model, or damaged at byte " + in.position() + " of a message");
    }
  }
}
