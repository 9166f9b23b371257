/**
 * Matrix products. Activations are packed into tiles of a few tokens, weights into panels of a few
 * outputs; one micro-kernel multiplies a tile by a panel; products are cut by output tiles only.
 */
package io.mola.simd.tiles;
