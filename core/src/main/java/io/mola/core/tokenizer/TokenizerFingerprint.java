package io.mola.core.tokenizer;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * What identifies a tokenizer, kept beside an adapter: another vocabulary or another template makes
 * an adapter useless without any error being raised.
 *
 * @param vocabularySha256 SHA-256, lower-case hex, over ids and pieces, merges in order, and
 *     special tokens
 * @param chatTemplateSha256 SHA-256, lower-case hex, of the template's UTF-8 bytes; null without
 *     one
 */
public record TokenizerFingerprint(String vocabularySha256, @Nullable String chatTemplateSha256) {

  /** SHA-256 of the text's UTF-8 bytes, lower-case hex. */
  static String sha256(String text) {
    return HexFormat.of().formatHex(digest().digest(text.getBytes(StandardCharsets.UTF_8)));
  }

  static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
