/** The training loop, its configuration, schedule, optimiser state and checkpoints. */
package io.mola.core.train;
