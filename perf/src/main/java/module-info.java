/*
 * Benchmarks. JMH calls them, and the code that it generates beside them, by reflection. The
 * package is null-marked and not the module, since generated code says nothing about null.
 */
open module io.mola.perf {
  requires static transitive org.jspecify;
  requires transitive io.mola.core;
  requires transitive io.mola.testdata;
  requires jdk.incubator.vector;
  requires jdk.unsupported; // for JMH, which is no module and cannot say so
  requires jmh.core;
  requires org.bytedeco.cuda;
  requires org.bytedeco.javacpp;
  requires org.junit.platform.launcher;
  requires tools.jackson.databind;

  exports io.mola.perf.product; // for libraries

  uses io.mola.perf.product.ProductLibrary;
}
