/** Fixtures, generators and the contract that every backend must pass. */
@org.jspecify.annotations.NullMarked
module io.mola.testdata {
  requires static transitive org.jspecify;
  requires transitive io.mola.core;
  requires transitive tools.jackson.databind;
  requires transitive org.junit.jupiter.api;
  requires transitive org.junit.jupiter.params;
  requires transitive org.assertj.core;

  exports io.mola.testdata;
  exports io.mola.testdata.contract;

  opens io.mola.testdata.contract to
      org.junit.platform.commons;
}
