/**
 * Typed failures. Each message is one line that names file, place and remedy; the command line
 * turns the type into an exit code. Nothing else lives here.
 */
package io.mola.core.failure;
