package io.mola.cli.settings;

/**
 * A setting as the user gave it.
 *
 * @param name as written: canonical or an alias, in snake_case
 * @param text value
 * @param place for messages: {@code --lr} or {@code run.yaml:3: lr}
 */
public record Given(String name, String text, String place) {}
