/**
 * The settings of a run: one table of keys, from which the flags of the command line and the keys
 * of the YAML file both come, so that they cannot drift apart. Knows nothing of commands.
 */
package io.mola.cli.settings;
