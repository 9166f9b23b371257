package io.mola.core.tokenizer;

/**
 * One message of a conversation.
 *
 * @param role {@code system}, {@code user}, {@code assistant}, or what else a template knows
 * @param content text
 */
public record ChatMessage(String role, String content) {}
