/** The command line. */
@org.jspecify.annotations.NullMarked
module io.mola.cli {
  requires static transitive org.jspecify;
  requires io.mola.core;
  requires info.picocli;
  requires me.tongfei.progressbar;
  requires java.management;
  requires jdk.management;
  requires tools.jackson.dataformat.yaml;

  opens io.mola.cli to
      info.picocli;
}
