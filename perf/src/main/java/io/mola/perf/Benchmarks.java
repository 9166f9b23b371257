package io.mola.perf;

import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/** JMH's own command line, with forks that see the same modules as this process. */
public final class Benchmarks {
  private Benchmarks() {}

  /** Runs the benchmarks that the arguments select. */
  public static void main(String[] args) throws RunnerException, CommandLineOptionException {
    new Runner(
            new OptionsBuilder()
                .parent(new CommandLineOptions(args))
                .jvmArgsPrepend(
                    "--module-path",
                    System.getProperty("jdk.module.path"),
                    "--add-modules",
                    "io.mola.perf,io.mola.simd,jdk.incubator.vector",
                    "--enable-native-access=org.bytedeco.javacpp")
                .build())
        .run();
  }
}
