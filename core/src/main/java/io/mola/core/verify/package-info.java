/** Replays recorded cases of other implementations and measures the differences. */
package io.mola.core.verify;
