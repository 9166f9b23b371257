package io.mola.core.data;

import io.mola.core.tokenizer.ChatTemplate;
import io.mola.core.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One id per character; 1 is the begin token, 2 the end token {@code </s>}, 3 {@code <|end|>}. */
final class WordTokenizer implements Tokenizer {
  private static final Pattern SPECIAL = Pattern.compile("<s>|</s>|<\\|end\\|>");
  private static final List<String> NAMES = List.of("", "<s>", "</s>", "<|end|>");

  private final Optional<ChatTemplate> template;
  private final boolean addsBos;

  WordTokenizer(boolean addsBos) {
    this.addsBos = addsBos;
    template = Optional.empty();
  }

  WordTokenizer(boolean addsBos, String template) {
    this.addsBos = addsBos;
    this.template =
        Optional.of(
            new ChatTemplate("test", template, Map.of("bos_token", "<s>", "eos_token", "</s>")));
  }

  @Override
  public int[] encode(String text, boolean specialTokens) {
    List<Integer> ids = new ArrayList<>();
    int at = 0;
    Matcher matcher = SPECIAL.matcher(text);
    while (specialTokens && matcher.find()) {
      text.substring(at, matcher.start()).chars().forEach(ids::add);
      ids.add(NAMES.indexOf(matcher.group()));
      at = matcher.end();
    }
    text.substring(at).chars().forEach(ids::add);
    return ids.stream().mapToInt(Integer::intValue).toArray();
  }

  @Override
  public String decode(int[] ids, boolean specialTokens) {
    StringBuilder text = new StringBuilder();
    for (int id : ids) {
      text.append(piece(id));
    }
    return text.toString();
  }

  @Override
  public String piece(int id) {
    return id < NAMES.size() ? NAMES.get(id) : String.valueOf((char) id);
  }

  @Override
  public int vocabularySize() {
    return 256;
  }

  @Override
  public int bos() {
    return 1;
  }

  @Override
  public int eos() {
    return 2;
  }

  @Override
  public boolean addsBos() {
    return addsBos;
  }

  @Override
  public boolean isStop(int id) {
    return id == 2 || id == 3;
  }

  @Override
  public Optional<ChatTemplate> chatTemplate() {
    return template;
  }
}
