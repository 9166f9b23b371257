package io.mola.core.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.failure.UsageException;
import org.junit.jupiter.api.Test;

final class BackendsTest {
  private static final BackendSettings ONE_THREAD = new BackendSettings(1, 0);

  @Test
  void whatAChosenProviderOpensChecksEveryCall() {
    try (Backend backend = Backends.choose("reference").open(ONE_THREAD)) {
      assertThat(backend).isInstanceOf(CheckedBackend.class);
      assertThat(Backends.checked(backend)).isSameAs(backend);
    }
  }

  @Test
  void theUsableBackendOfHighestPriorityChecksEveryCallToo() {
    BackendProvider provider = Backends.choose(Backends.AUTO);
    assertThat(provider.name()).isEqualTo("reference");
    try (Backend backend = provider.open(ONE_THREAD)) {
      assertThat(backend).isInstanceOf(CheckedBackend.class);
    }
  }

  @Test
  void anUnknownNameIsRefusedWithTheKnownOnes() {
    assertThatThrownBy(() -> Backends.choose("simf"))
        .isInstanceOf(UsageException.class)
        .hasMessage("no backend named simf; there are: reference, auto");
  }
}
