/** Generation with a key-value cache, and sampling. */
package io.mola.core.generate;
