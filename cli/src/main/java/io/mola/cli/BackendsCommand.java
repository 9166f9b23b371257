package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.BackendProvider.Availability.Unusable;
import io.mola.core.backend.BackendProvider.Availability.Usable;
import io.mola.core.backend.Backends;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;

/** Lists what can compute on this machine. */
@Command(
    name = "backends",
    description = "List what can compute on this machine, and what is missing where it cannot.%n")
final class BackendsCommand extends Subcommand {
  @Override
  List<Key<?>> keys() {
    return List.of();
  }

  @Override
  int run(Output output) {
    List<Map<String, Object>> entries = new ArrayList<>();
    for (BackendProvider provider : Backends.all()) {
      Map<String, Object> entry = new LinkedHashMap<>();
      entry.put("name", provider.name());
      switch (provider.probe()) {
        case Usable(int priority, String detail) -> {
          entry.put("usable", true);
          entry.put("reason", detail);
          entry.put("priority", priority);
          output.text().printf("%-10s usable    %s%n", provider.name(), detail);
        }
        case Unusable(String reason, String remedy) -> {
          entry.put("usable", false);
          entry.put("reason", reason);
          entry.put("remedy", remedy);
          output.text().printf("%-10s unusable  %s; %s%n", provider.name(), reason, remedy);
        }
      }
      entries.add(entry);
    }
    output.answer(Map.of("backends", entries));
    return 0;
  }
}
