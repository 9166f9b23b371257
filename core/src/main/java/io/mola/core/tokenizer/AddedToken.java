package io.mola.core.tokenizer;

/**
 * A token found in the text before anything else is done to it.
 *
 * @param id token id
 * @param content the text it stands for
 * @param special control token: left out of decoded text, and ordinary text in users' data
 */
record AddedToken(int id, String content, boolean special) {}
