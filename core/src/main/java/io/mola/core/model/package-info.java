/**
 * The frozen decoder-only transformer, forward and backward side by side. It never imports adapter:
 * it calls a LinearHook around each group of projections.
 */
package io.mola.core.model;
