/**
 * Shapes of device memory: tensors, element types and the memory plan. Knows nothing of backends or
 * models.
 */
package io.mola.core.tensor;
