/** Mixtures of LoRA experts: allocation, parameters, routing loss, the adapter folder, merging. */
package io.mola.core.adapter;
