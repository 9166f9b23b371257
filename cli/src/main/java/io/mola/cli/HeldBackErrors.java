package io.mola.cli;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Java warns about the incubating vector module before {@code main}, on every start, and has no
 * switch for it. The launcher therefore keeps the real error stream on another descriptor until
 * Java is up, names it in the environment, and this class puts it back. Started without the
 * launcher, nothing is held back.
 */
final class HeldBackErrors {
  private static final String VARIABLE = "MOLA_STDERR_FD";
  private static final int ERROR_STREAM = 2;

  private HeldBackErrors() {}

  /** dup2(descriptor, 2), then closes the descriptor. */
  static void release() {
    String descriptor = System.getenv(VARIABLE);
    if (descriptor == null) {
      return;
    }
    try {
      int held = Integer.parseInt(descriptor);
      int done =
          (int)
              function("dup2", ValueLayout.JAVA_INT, ValueLayout.JAVA_INT)
                  .invokeExact(held, ERROR_STREAM);
      int closed = (int) function("close", ValueLayout.JAVA_INT).invokeExact(held);
      if (done != ERROR_STREAM || closed != 0) {
        throw new IllegalStateException("dup2 gave " + done + ", close gave " + closed);
      }
    } catch (Throwable e) {
      // the error stream is the one that is lost, so the other has to tell
      System.out.println("mola: " + VARIABLE + "=" + descriptor + ": " + e);
      System.exit(1);
    }
  }

  @SuppressWarnings("restricted") // two functions of the C library, declared as POSIX has them
  private static MethodHandle function(String name, ValueLayout... arguments) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(
        linker.defaultLookup().findOrThrow(name),
        FunctionDescriptor.of(ValueLayout.JAVA_INT, arguments));
  }
}
