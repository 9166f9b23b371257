/** cli. */
package io.mola.cli;
