/**
 * Data set formats to examples (tokens and label mask), each knowing its file and line; batching.
 */
package io.mola.core.data;
