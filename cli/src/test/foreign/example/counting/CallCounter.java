package example.counting;

import io.mola.core.backend.Backend;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * Stands between the caller and a backend: passes every call on as it is, and counts it under
 * {@code group.operation}. When the backend is closed the counts are printed, one a line.
 */
final class CallCounter {
  private final Map<String, LongAdder> counts = new ConcurrentSkipListMap<>();
  private final PrintStream report;

  CallCounter(PrintStream report) {
    this.report = report;
  }

  /** {@code target} behind a proxy that counts its calls under {@code group}. */
  <T> T count(Class<T> type, String group, Object target) {
    return type.cast(
        Proxy.newProxyInstance(
            CallCounter.class.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> {
              Object result = call(target, method, arguments);
              if (type == Backend.class) {
                return ofBackend(method, result);
              }
              counts.computeIfAbsent(group + "." + method.getName(), key -> new LongAdder()).increment();
              return result;
            }));
  }

  /** An operation group is counted too; closing ends the count. */
  private Object ofBackend(Method method, Object result) {
    if (method.getName().equals("close")) {
      new TreeMap<>(counts).forEach((name, calls) -> report.println("counted " + name + " " + calls));
    }
    Class<?> type = method.getReturnType();
    return type.isInterface() ? count(type, method.getName(), result) : result;
  }

  private static Object call(Object target, Method method, Object[] arguments) throws Throwable {
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }
}
