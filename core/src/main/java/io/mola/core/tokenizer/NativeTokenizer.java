package io.mola.core.tokenizer;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.mola.core.failure.MolaException;
import io.mola.core.failure.UsageException;
import java.lang.ref.Cleaner;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * A tokenizer.json in the native tokenizers library.
 *
 * <p>The library fixes at construction whether special tokens are recognised and whether a prefix
 * is put before the text. So up to three native tokenizers stand behind one of these, the second
 * and third made when first needed: most texts hold no special token, and most vocabularies put no
 * prefix. Its low-level calls are used rather than its tokenizer class, which truncates unless told
 * otherwise, computes offsets nobody reads, and reports its use over the network.
 */
final class NativeTokenizer implements Tokenizer {
  private static final Cleaner CLEANER = Cleaner.create();

  private final TokenizerJson json;
  private final String origin;
  private final @Nullable String[] pieces;
  private final int bos;
  private final int eos;
  private final boolean addsBos;
  private final BitSet stops = new BitSet();
  private final @Nullable ChatTemplate chatTemplate;
  private final TokenizerFingerprint fingerprint;
  private final @Nullable Pattern anyAdded;
  private final @Nullable Pattern userAdded;
  private final @Nullable Pattern specialAdded;
  private final long main;
  private long plain;
  private long continuing;

  NativeTokenizer(TokenizerDefinition definition) {
    origin = definition.origin();
    try {
      json = TokenizerJson.read(definition.json());
    } catch (JacksonException | IllegalArgumentException e) {
      throw unreadable(e);
    }
    pieces = json.pieces();
    bos = resolved(definition.bos());
    eos = resolved(definition.eos());
    addsBos =
        bos >= 0
            && (definition.addsBos() == null ? json.beginsWithSpecial() : definition.addsBos());
    definition.stops().forEach(id -> stops.set(checked(id, "stop token")));
    if (eos >= 0) {
      stops.set(eos);
    }
    json.added().stream()
        .filter(t -> t.special() && StopTokens.ends(t.content()))
        .forEach(t -> stops.set(t.id()));
    String template = definition.chatTemplate();
    fingerprint =
        new TokenizerFingerprint(
            json.sha256(), template == null ? null : TokenizerFingerprint.sha256(template));
    chatTemplate =
        template == null
            ? null
            : new ChatTemplate(
                origin,
                template,
                Map.of("bos_token", pieceOrEmpty(bos), "eos_token", pieceOrEmpty(eos)));
    anyAdded = pattern(json.added(), t -> true);
    userAdded = pattern(json.added(), t -> !t.special());
    specialAdded = pattern(json.added(), AddedToken::special);
    main = create(true, true);
  }

  @Override
  public int[] encode(String text, boolean specialTokens) {
    String clean = wellFormed(text);
    if (specialTokens || specialAdded == null || !specialAdded.matcher(clean).find()) {
      return ids(main, clean);
    }
    return ids(plain(), clean);
  }

  /**
   * {@inheritDoc}
   *
   * <p>Behind a special token the prefix is as everywhere, so only what comes before the first of
   * them is encoded without.
   */
  @Override
  public int[] encodeContinuation(String text, boolean specialTokens) {
    if (!json.putsPrefix()) {
      return encode(text, specialTokens);
    }
    String clean = wellFormed(text);
    Pattern breaks = specialTokens ? anyAdded : userAdded;
    Matcher matcher = breaks == null ? null : breaks.matcher(clean);
    int end = matcher != null && matcher.find() ? matcher.start() : clean.length();
    int[] head = ids(continuing(), clean.substring(0, end));
    if (end == clean.length()) {
      return head;
    }
    int[] tail = encode(clean.substring(end), specialTokens);
    int[] all = Arrays.copyOf(head, head.length + tail.length);
    System.arraycopy(tail, 0, all, head.length, tail.length);
    return all;
  }

  @Override
  public String decode(int[] ids, boolean specialTokens) {
    long[] wide = new long[ids.length];
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] >= pieces.length) {
        throw new IllegalArgumentException(
            "token id " + ids[i] + " is outside the vocabulary of " + pieces.length);
      }
      wide[i] = ids[i];
    }
    return TokenizersLibrary.LIB.decode(main, wide, !specialTokens);
  }

  @Override
  public String piece(int id) {
    return pieceOrEmpty(id);
  }

  @Override
  public int vocabularySize() {
    return pieces.length;
  }

  @Override
  public int bos() {
    return bos;
  }

  @Override
  public int eos() {
    return eos;
  }

  @Override
  public boolean addsBos() {
    return addsBos;
  }

  @Override
  public boolean isStop(int id) {
    return id >= 0 && stops.get(id);
  }

  @Override
  public Optional<ChatTemplate> chatTemplate() {
    return Optional.ofNullable(chatTemplate);
  }

  @Override
  public Optional<TokenizerFingerprint> fingerprint() {
    return Optional.of(fingerprint);
  }

  private String pieceOrEmpty(int id) {
    String piece = id < 0 || id >= pieces.length ? null : pieces[id];
    return piece == null ? "" : piece;
  }

  private int resolved(TokenizerDefinition.Special special) {
    String content = special.content();
    if (content == null) {
      return checked(special.id(), special.name());
    }
    int id = Arrays.asList(pieces).indexOf(content);
    if (id < 0) {
      throw new UsageException(
          origin + ": " + special.name() + " \"" + content + "\" is not in the vocabulary");
    }
    return id;
  }

  private int checked(int id, String role) {
    if (id >= pieces.length) {
      throw new UsageException(
          origin + ": " + role + " " + id + " is outside the vocabulary of " + pieces.length);
    }
    return id;
  }

  private static int[] ids(long handle, String text) {
    long encoding = TokenizersLibrary.LIB.encode(handle, text, false);
    try {
      long[] wide = TokenizersLibrary.LIB.getTokenIds(encoding);
      int[] ids = new int[wide.length];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = Math.toIntExact(wide[i]);
      }
      return ids;
    } finally {
      TokenizersLibrary.LIB.deleteEncoding(encoding);
    }
  }

  private synchronized long plain() {
    if (plain == 0) {
      plain = create(false, true);
    }
    return plain;
  }

  private synchronized long continuing() {
    if (continuing == 0) {
      // Text is cut before the first special token, so this one needs to know none.
      continuing = create(false, false);
    }
    return continuing;
  }

  private long create(boolean specialTokens, boolean prefix) {
    NativeLibrary.load();
    long handle;
    try {
      handle =
          TokenizersLibrary.LIB.createTokenizerFromString(json.rewritten(specialTokens, prefix));
    } catch (RuntimeException e) {
      throw unreadable(e);
    }
    CLEANER.register(this, () -> TokenizersLibrary.LIB.deleteTokenizer(handle));
    return handle;
  }

  private UsageException unreadable(RuntimeException e) {
    String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    return new UsageException(origin + ": tokenizer cannot be read: " + reason, e);
  }

  private static @Nullable Pattern pattern(List<AddedToken> added, Predicate<AddedToken> which) {
    String alternatives =
        added.stream()
            .filter(which)
            .map(AddedToken::content)
            .filter(content -> !content.isEmpty())
            .sorted(Comparator.comparingInt(String::length).reversed())
            .map(Pattern::quote)
            .collect(Collectors.joining("|"));
    return alternatives.isEmpty() ? null : Pattern.compile(alternatives);
  }

  /** Lone surrogates cannot be written as UTF-8; they become U+FFFD. */
  private static String wellFormed(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        return text.codePoints()
            .map(c -> c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c)
            .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
            .toString();
      }
    }
    return text;
  }

  /** Loads the native library from its jar, once, and never from the network. */
  private static final class NativeLibrary {
    private NativeLibrary() {}

    static synchronized void load() {
      // Both are read by the library: no download of other builds, no usage report.
      setIfAbsent("ai.djl.offline", "true");
      setIfAbsent("OPT_OUT_TRACKING", "true");
      try {
        LibUtils.checkStatus();
      } catch (RuntimeException | LinkageError e) {
        throw new MolaException(
            "the native tokenizers library cannot be loaded on this machine ("
                + System.getProperty("os.name")
                + " "
                + System.getProperty("os.arch")
                + "); set DJL_CACHE_DIR to a writable folder, or use a platform it is built for:"
                + " Linux x86_64 or aarch64, macOS arm64, Windows x86_64",
            e);
      }
    }

    private static void setIfAbsent(String key, String value) {
      if (System.getProperty(key) == null) {
        System.setProperty(key, value);
      }
    }
  }
}
