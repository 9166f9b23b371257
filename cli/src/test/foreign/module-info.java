/** A backend in a jar of its own, as anyone could write it: mola knows nothing of it. */
module example.counting {
  requires io.mola.core;

  provides io.mola.core.backend.BackendProvider with
      example.counting.CountingBackendProvider;
}
