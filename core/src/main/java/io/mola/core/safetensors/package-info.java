/**
 * The safetensors container, read from a mapping and written atomically. Adapters are safetensors
 * files, so the codec lives in core.
 */
package io.mola.core.safetensors;
