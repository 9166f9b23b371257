/**
 * Fixtures and generators for tests: real files found outside the repository, random matrices in
 * every encoding, tensors on the host. Nothing here knows a backend.
 */
package io.mola.testdata;
